"""Stored masks: beside the stored images, found by content, and never of another size than their image."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveola.data.cohort import Cohort, sample_table
from foveola.data.images.arrays import ArrayImages
from foveola.data.images.masks import IGNORED
from foveola.data.stored.cache import fingerprint, prepared_images
from foveola.data.stored.geometry import frame_of
from foveola.data.stored.mask_cache import majority, prepared_masks
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError

PAD = Preprocessing(image_size=9, fit="pad")


@dataclass(eq=False)
class FakeMasks:
    """Arrays of two observers that count how often they are read."""

    arrays: list[tuple[np.ndarray, ...]]
    observers: tuple[str, ...] = ("first", "second")
    reads: list[int] = field(default_factory=list)

    def read(self, index: int, observer: int = 0) -> np.ndarray:
        self.reads.append(index)
        return self.arrays[index][observer]

    def digest(self, index: int) -> str:
        return "".join(array.tobytes().hex() for array in self.arrays[index])

    def where(self, index: int, observer: int = 0) -> str:
        return f"mask{index}-{self.observers[observer]}.png"


@dataclass(eq=False)
class HeadedMasks(FakeMasks):
    def header(self, index: int, observer: int = 0) -> tuple[int, int]:
        height, width = self.arrays[index][observer].shape
        return width, height


@dataclass(eq=False)
class PlainImages:
    """Images that tell their size only when they are read."""

    arrays: np.ndarray

    def __len__(self) -> int:
        return len(self.arrays)

    def read(self, index: int) -> np.ndarray:
        return np.asarray(self.arrays[index])

    def digest(self, index: int) -> str:
        return self.arrays[index].tobytes().hex()

    def where(self, index: int) -> str:
        return f"scan{index}.png"


def drawn(count: int = 5, shape: tuple[int, int] = (12, 10)) -> list[tuple[np.ndarray, ...]]:
    masks = np.random.default_rng(3).integers(0, 3, (count, 2, *shape), dtype=np.uint8)
    return [tuple(pair) for pair in masks]


def cohort_of(masks: Any, images: Any = None, **columns: list[str]) -> Cohort:
    count = len(masks.arrays)
    if images is None:
        images = ArrayImages(np.random.default_rng(1).integers(0, 256, (count, 12, 10), dtype=np.uint8), "scans")
    table = sample_table([f"s{i}" for i in range(count)], [-1] * count, **columns)
    return Cohort("drawings", ("background", "cup", "disc"), table, images, masks=masks)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOVEOLA_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("kind", [FakeMasks, HeadedMasks])
def test_masks_are_stored_as_their_frames_say(folder: Path, kind: type[FakeMasks]) -> None:
    masks = kind(drawn())
    sides = ["L", "R", "", "R", "L"]
    cohort = cohort_of(masks, laterality=sides)
    stored = prepared_masks(cohort, PAD)
    assert stored.shape == (5, 2, 9, 9)
    assert stored.dtype == np.uint8
    assert isinstance(stored, np.memmap)
    for index, side in enumerate(sides):
        frame = frame_of(12, 10, PAD, side)
        for observer in (0, 1):
            expected = frame.to_stored(masks.arrays[index][observer], nearest=True, padding=IGNORED)
            assert np.array_equal(stored[index, observer], expected)
    assert (stored == IGNORED).mean() == pytest.approx(1 / 9)
    assert (prepared_images(cohort, PAD)[:, 0][stored[:, 0] == IGNORED] == 0).all()
    with pytest.raises(ValueError, match="read-only"):
        stored[0] = 0
    assert np.array_equal(prepared_masks(cohort_of(replace(masks, reads=[]), laterality=sides), PAD), stored)
    assert sorted(masks.reads) == sorted([0, 1, 2, 3, 4] * 2)


def test_stretched_masks_have_no_padding(folder: Path) -> None:
    assert prepared_masks(cohort_of(FakeMasks(drawn())), Preprocessing(image_size=9)).max() == 2


def test_what_changes_masks_changes_the_place_and_nothing_else_does(folder: Path) -> None:
    arrays = drawn()

    def places(settings: Preprocessing = PAD, masks: FakeMasks | None = None, **columns: list[str]) -> int:
        prepared_masks(cohort_of(masks or FakeMasks(arrays), **columns), settings)
        return len(list(folder.rglob("masks.npy")))

    assert places() == 1
    assert places(Preprocessing(image_size=9, fit="pad", channels=3, scaling="imagenet")) == 1
    assert places(groups=["p"] * 5, laterality=["L"] * 5) == 1
    assert places(laterality=["R"] + ["L"] * 4) == 2
    assert places(Preprocessing(image_size=9)) == 3
    assert places(Preprocessing(image_size=9, fit="pad", crop=(0, 0, 9, 9))) == 4
    assert places(masks=FakeMasks(arrays[::-1])) == 5
    changed = [tuple(mask.copy() for mask in pair) for pair in arrays]
    changed[3][1][11, 9] ^= 1
    assert places(masks=FakeMasks(changed)) == 6
    known = json.loads(next(folder.rglob("masks.json")).read_text())
    assert (known["images"], known["shape"], known["dtype"]) == (5, [5, 2, 9, 9], "uint8")


@pytest.mark.parametrize("headed", [True, False])
@pytest.mark.parametrize("kind", [FakeMasks, HeadedMasks])
def test_a_mask_of_another_size_is_refused(folder: Path, kind: type[FakeMasks], headed: bool) -> None:
    arrays = drawn()
    arrays[3] = (arrays[3][0], np.zeros((12, 11), np.uint8))
    masks = kind(arrays)
    pictures = np.random.default_rng(1).integers(0, 256, (5, 12, 10), dtype=np.uint8)
    cohort = cohort_of(masks, ArrayImages(pictures, "scans") if headed else PlainImages(pictures))
    name = r"scans\[3\]" if headed else r"scan3\.png"
    with pytest.raises(FoveolaError, match=rf"10 x 12 pixels, as its image {name}, got 11 x 12, in mask3-second\.png"):
        prepared_masks(cohort, PAD)
    assert not list(folder.rglob("masks.npy"))
    if headed and kind is HeadedMasks:
        assert masks.reads == []


def test_a_stored_mask_is_no_answer_for_images_of_another_size(folder: Path) -> None:
    masks = HeadedMasks(drawn())
    prepared_masks(cohort_of(masks), PAD)
    with pytest.raises(FoveolaError, match="a mask is not stretched"):
        prepared_masks(cohort_of(masks, ArrayImages(np.zeros((5, 13, 10), np.uint8), "larger")), PAD)


def test_progress_counts_to_the_end(folder: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    prepared_masks(cohort_of(FakeMasks(drawn())), PAD, progress=lambda *call: calls.append(call))
    steps = ("Checking images", "Checking masks", "Decoding masks")
    assert calls == [(what, done, 5) for what in steps for done in range(1, 6)]


def test_the_fingerprint_follows_the_masks() -> None:
    arrays = drawn()
    cohort = cohort_of(FakeMasks(arrays))
    original = fingerprint(cohort)
    assert fingerprint(cohort_of(FakeMasks(drawn()))) == original
    changed = [tuple(mask.copy() for mask in pair) for pair in arrays]
    changed[4][0][0, 0] ^= 1
    others = [
        replace(cohort, masks=FakeMasks(changed)),
        replace(cohort, masks=FakeMasks(arrays, observers=("second", "first"))),
        replace(cohort, classes=("background", "disc", "cup")),
        replace(cohort, masks=None),
    ]
    assert len({original, *map(fingerprint, others)}) == 5


def test_a_cohort_without_masks_has_none_to_prepare() -> None:
    cohort = replace(cohort_of(FakeMasks(drawn())), masks=None)
    with pytest.raises(ValueError, match="drawings has no masks"):
        prepared_masks(cohort, PAD)


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_the_majority_is_the_class_with_the_largest_area(fit: str) -> None:
    mask = np.random.default_rng(0).integers(0, 3, (54, 36)).astype(np.uint8)
    frame = frame_of(54, 36, Preprocessing(image_size=9, fit=fit), "")  # type: ignore[arg-type]
    top, left = (side.start for side in frame.inside)
    height, width = (side.stop - side.start for side in frame.inside)
    expected = np.full((9, 9), IGNORED)
    down, across = 54 // height, 36 // width
    for y in range(height):
        for x in range(width):
            part = mask[down * y : down * (y + 1), across * x : across * (x + 1)]
            counts = [int((part == k).sum()) for k in range(3)]
            expected[top + y, left + x] = max(k for k in range(3) if counts[k] == max(counts))
    np.testing.assert_array_equal(majority(mask, frame, 3), expected)


def test_masks_by_majority_are_stored_apart_from_those_by_nearest() -> None:
    mask = np.zeros((18, 18), np.uint8)
    mask[:, 2:4] = 1
    images = ArrayImages(np.zeros((1, 18, 18), np.uint8), "stack.npz")
    masks = FakeMasks([(mask, mask)])
    cohort = Cohort("drawn", ("back", "front"), sample_table(["a"], [-1]), images, masks=masks)
    nearest, by_area = (
        prepared_masks(cohort, Preprocessing(image_size=9, masks=how)) for how in ("nearest", "majority")
    )
    assert nearest[0, 0, 0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert by_area[0, 0, 0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    mask[:, 2:4], mask[:, 3:5] = 0, 1
    nearest, by_area = (
        prepared_masks(replace(cohort, masks=FakeMasks([(mask, mask)])), Preprocessing(image_size=9, masks=how))
        for how in ("nearest", "majority")
    )
    assert nearest[0, 0, 0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert by_area[0, 0, 0].tolist() == [0, 1, 1, 0, 0, 0, 0, 0, 0]
