"""What the drawn images show: the class is decided by the macular lesions and by nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from foveola.data.sources.drawn.fundus_scene import (
    FOVEA,
    MACULA_RADIUS,
    MACULAR_COUNTS,
    MOST_NUISANCE,
    Scene,
    draw_scene,
    eye_label,
)

SEED = 5


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(SEED, index) for index in range(600)]


def test_number_of_macular_lesions_decides_the_class(scenes: list[Scene]) -> None:
    seen: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    for scene in scenes:
        seen[scene.label].add(len(scene.macular))
    assert seen == {0: {0}, 1: {1, 2}, 2: {4, 5, 6, 7}}
    assert [(min(seen[label]), max(seen[label])) for label in range(3)] == list(MACULAR_COUNTS)


def test_nuisance_tells_nothing_about_the_class(scenes: list[Scene]) -> None:
    table = np.zeros((3, MOST_NUISANCE + 1))
    for scene in scenes:
        table[scene.label, len(scene.nuisance)] += 1
    assert (table.sum(axis=0) > 0).all()
    assert chi2_contingency(table).pvalue > 0.05


def test_macular_lesions_lie_wholly_inside_and_nuisance_wholly_outside(scenes: list[Scene]) -> None:
    for scene in scenes:
        for x, y, radius, *_ in scene.macular:
            assert math.dist((x, y), FOVEA) + radius < MACULA_RADIUS
        for x, y, radius, *_ in scene.nuisance:
            assert math.dist((x, y), FOVEA) - radius > MACULA_RADIUS


def test_lesions_look_alike_and_do_not_touch(scenes: list[Scene]) -> None:
    inside = np.vstack([scene.macular for scene in scenes])[:, 2:]
    outside = np.vstack([scene.nuisance for scene in scenes])[:, 2:]
    np.testing.assert_allclose(inside.mean(axis=0), outside.mean(axis=0), rtol=0.05)
    np.testing.assert_allclose(inside.std(axis=0), outside.std(axis=0), rtol=0.05)
    for scene in scenes:
        for group in (scene.macular, scene.nuisance):
            for i in range(len(group)):
                for j in range(i):
                    assert math.dist(group[i, :2], group[j, :2]) > group[i, 2] + group[j, 2]


def test_classes_are_balanced_on_both_sides_and_independent_between_them() -> None:
    labels = np.array([eye_label(SEED, index) for index in range(1200)]).reshape(600, 2)
    for side in range(2):
        assert np.bincount(labels[:, side]).tolist() == [200, 200, 200]
    pairs = np.zeros((3, 3))
    np.add.at(pairs, tuple(labels.T), 1)
    deviation = np.sqrt(200 * 2 / 9)  # of a cell of the sum of 200 random 3 x 3 permutation matrices
    assert np.abs(pairs - 200 / 3).max() < 3 * deviation


def test_scene_depends_on_seed_and_index_alone() -> None:
    one, again, other_seed = draw_scene(1, 8), draw_scene(1, 8), draw_scene(2, 8)
    np.testing.assert_array_equal(one.nuisance, again.nuisance)
    for mine, theirs in zip(one.vessels, again.vessels, strict=True):
        np.testing.assert_array_equal(mine.points, theirs.points)
    assert not np.array_equal(one.vessels[0].points, other_seed.vessels[0].points)


def test_shift_moves_the_anatomy_and_changes_nothing_else() -> None:
    still, moved = draw_scene(SEED, 4), draw_scene(SEED, 4, shift=0.1)
    assert still.offset == (0.0, 0.0)
    assert 0 < max(map(abs, moved.offset)) <= 0.1
    np.testing.assert_array_equal(still.nuisance, moved.nuisance)
    np.testing.assert_array_equal(still.vessels[2].points, moved.vessels[2].points)


def test_vessels_leave_the_middle_of_the_fovea_free(scenes: list[Scene]) -> None:
    for scene in scenes[:50]:
        for vessels in scene.vessels:
            distance = np.linalg.norm(vessels.points - FOVEA, axis=2)
            assert distance.min() >= 0.35 * MACULA_RADIUS
