"""The source ``phantom``: its table, its truth, its options."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from foveola.data.cohort import Cohort
from foveola.data.sources.drawn.fundus import paint
from foveola.data.sources.drawn.fundus_scene import FOVEA, draw_scene
from foveola.data.sources.drawn.phantom import PhantomImages, load_phantom, phantom_truth
from foveola.data.sources.source import SOURCES, Request, check_options, split_specification
from foveola.foundation.errors import FoveolaError


def load(specification: str) -> Cohort:
    name, location, options = split_specification(specification)
    check_options(SOURCES[name], options)
    return SOURCES[name].load(Request(location, options))


def test_default_cohort() -> None:
    cohort = load("phantom")
    assert len(cohort) == 400
    assert cohort.classes == ("risk 0", "risk 1", "risk 2")
    assert cohort.preprocessing == {"image_size": 64, "flip": True}
    counts = np.bincount(cohort.table["label"])
    assert counts.max() - counts.min() <= 2
    assert cohort.table.loc[[0, 1, 398, 399], ["sample", "group", "laterality"]].to_numpy().tolist() == [
        ["p0000L", "p0000", "L"],
        ["p0000R", "p0000", "R"],
        ["p0199L", "p0199", "L"],
        ["p0199R", "p0199", "R"],
    ]
    assert (cohort.table["split"] == "").all()


def test_table_tells_what_is_painted() -> None:
    cohort = load("phantom:n=40,seed=3,size=48,flip=false")
    assert cohort.preprocessing == {"image_size": 48, "flip": False}
    assert cohort.images.read(7).shape == (48, 48, 3)
    for index in range(40):
        scene = draw_scene(3, index)
        assert (scene.label, scene.laterality) == tuple(cohort.table.loc[index, ["label", "laterality"]])


def test_smallest_cohort_holds_two_of_every_class() -> None:
    for seed in range(20):
        assert np.bincount(load(f"phantom:n=6,seed={seed}").table["label"]).tolist() == [2, 2, 2]


def test_images_do_not_depend_on_how_many_there_are() -> None:
    few, many = load("phantom:n=11,seed=2"), load("phantom:n=30,seed=2")
    assert few.table.equals(many.table[:11])
    for index in (0, 7, 10):
        np.testing.assert_array_equal(few.images.read(index), many.images.read(index))
        assert few.images.digest(index) == many.images.digest(index)


def test_digest_changes_with_everything_that_changes_the_pixels() -> None:
    variants = [
        PhantomImages(9, 64, 0),
        PhantomImages(9, 65, 0),
        PhantomImages(9, 64, 1),
        PhantomImages(9, 64, 0, shift=0.05),
    ]
    digests = {images.digest(index) for images in variants for index in range(9)}
    assert len(digests) == 36
    assert variants[0].digest(3) == PhantomImages(12, 64, 0).digest(3)
    assert variants[0].where(3) == "phantom:size=64,seed=0,shift=0 image 3"
    pictures = [variants[i].read(3) for i in (0, 2, 3)]
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_mirrored_right_eyes_agree_with_left_ones() -> None:
    images = PhantomImages(200, 40, 8)
    left = np.mean([images.read(index) for index in range(0, 200, 2)], axis=0)
    right = np.mean([images.read(index) for index in range(1, 200, 2)], axis=0)
    mirrored, unmirrored = np.abs(left - right[:, ::-1]).mean(), np.abs(left - right).mean()
    assert mirrored < 3
    assert unmirrored > 2 * mirrored


@pytest.mark.parametrize("shape", [(64, 64), (48, 80)])
def test_truth_holds_the_macular_lesions_and_none_of_the_others(shape: tuple[int, int]) -> None:
    height, width = shape
    truth = phantom_truth(flip=True)(height, width)
    assert truth.shape == shape
    assert truth.dtype == np.bool_
    for index in range(60):
        scene = draw_scene(1, index)
        assert all(truth[int(y * height), int(x * width)] for x, y, *_ in scene.macular)
        assert not any(truth[int(y * height), int(x * width)] for x, y, *_ in scene.nuisance)


def test_truth_is_one_disc_diameter_around_the_fovea() -> None:
    truth = phantom_truth(flip=True)(60, 90)
    for row in range(60):
        for column in range(90):
            inside = math.dist(((column + 0.5) / 90, (row + 0.5) / 60), FOVEA) <= 0.13
            assert truth[row, column] == inside
    assert truth.mean() == pytest.approx(math.pi * 0.13**2, rel=0.02)


def test_truth_without_flipping_adds_the_mirror_image() -> None:
    one, both = phantom_truth(flip=True)(50, 70), phantom_truth(flip=False)(50, 70)
    np.testing.assert_array_equal(both, one | one[:, ::-1])
    assert both.sum() == 2 * one.sum()


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("phantom:n=0", "expected a whole number from 6 to 999999, got '0', in --data, option n"),
        ("phantom:n=many", "got 'many'"),
        ("phantom:size=4", "expected a whole number from 16 to 2048, got '4', in --data, option size"),
        ("phantom:seed=-1", "got '-1', in --data, option seed"),
        ("phantom:shift=0.5", "expected a number from 0 to 0.2, got '0.5'"),
        ("phantom:shift=nan", "got 'nan'"),
        ("phantom:flip=yes", "expected true or false, got 'yes'"),
        ("phantom:sise=64", "did you mean 'size'?"),
        ("phantom:retina", "expected nothing, got 'retina', in --data phantom"),
    ],
)
def test_bad_options_are_named(specification: str, message: str) -> None:
    with pytest.raises(FoveolaError) as caught:
        load(specification)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        (Request("", label="md"), "--label"),
        (Request("", bins=(-12.0, -6.0)), "--bins"),
    ],
)
def test_labels_of_the_users_are_refused(request_: Request, where: str) -> None:
    with pytest.raises(FoveolaError, match=where):
        load_phantom(request_)


def test_masks_hold_all_lesions_and_nothing_else() -> None:
    """A picture with its lesions, less the same picture without: what differs is lesion, on either side of the eye."""
    cohort = load("phantom:n=12,size=256,shift=0.05,seed=4,masks=true")
    assert (cohort.classes, cohort.task, cohort.truth) == (("background", "lesion"), "segmentation", None)
    assert (cohort.table["label"] == -1).all()
    assert cohort.masks is not None
    for index in range(12):
        scene = draw_scene(4, index, 0.05)
        bare = replace(scene, macular=scene.macular[:0], nuisance=scene.nuisance[:0])
        camera = np.random.default_rng([4, index]).spawn(1)[0]
        brighter = cohort.images.read(index).astype(int) - paint(bare, 256, camera)
        mask = cohort.masks.read(index)
        assert mask.shape == (256, 256)
        assert (brighter[mask == 0].max(axis=1) > 128).mean() < 1e-3
        area = sum(math.pi * radius * radius * ratio for *_, radius, ratio, _ in [*scene.macular, *scene.nuisance])
        assert mask.mean() == pytest.approx(area, rel=0.05)
        if area:
            whole = brighter.sum(axis=2) > 0.5 * np.percentile(brighter.sum(axis=2)[mask == 1], 60)
            assert 2 * (whole & (mask == 1)).sum() / (whole.sum() + mask.sum()) > 0.85


def test_masks_are_of_the_size_of_the_images_and_known_by_what_is_drawn() -> None:
    cohort, other = (load(f"phantom:n=8,size=40,masks=true,seed={seed}") for seed in (1, 2))
    assert cohort.masks is not None
    assert other.masks is not None
    assert cohort.masks.read(7).shape == cohort.images.read(7).shape[:2] == (40, 40)
    assert len({masks.digest(index) for masks in (cohort.masks, other.masks) for index in (0, 7)}) == 4
    assert load("phantom:n=8,masks=false").task == "classification"
