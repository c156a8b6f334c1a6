from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from foveola.data.cohort import Cohort, sample_table
from foveola.data.stored import array_store
from foveola.data.stored.cache import fingerprint, prepared_images
from foveola.data.stored.geometry import prepare
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError

SMALL = Preprocessing(image_size=8)


@dataclass
class FakeImages:
    """Arrays that count how often they are read."""

    arrays: list[np.ndarray]
    reads: list[int] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    on_read: Callable[[int], object] = lambda index: None

    def __len__(self) -> int:
        return len(self.arrays)

    def read(self, index: int) -> np.ndarray:
        self.on_read(index)
        self.reads.append(index)
        return self.arrays[index]

    def digest(self, index: int) -> str:
        self.digests.append(index)
        return f"{self.arrays[index].tobytes().hex()}{self.arrays[index].shape}"

    def where(self, index: int) -> str:
        return f"scan{index}.png"


@dataclass
class FakeFiles(FakeImages):
    modes: str = "strict"

    def header(self, index: int) -> tuple[int, int, int]:
        height, width, *channels = self.arrays[index].shape
        return width, height, *(channels or [1])


def draw(count: int = 7, shape: tuple[int, ...] = (12, 10), seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8))


def cohort_of(images: FakeImages, **columns: list[Any]) -> Cohort:
    count = len(images)
    samples = columns.pop("samples", [f"s{i}" for i in range(count)])
    labels = columns.pop("labels", [i % 2 for i in range(count)])
    return Cohort("fakes", ("a", "b"), sample_table(samples, labels, **columns), images)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOVEOLA_CACHE", str(tmp_path))
    return tmp_path


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_images_are_decoded_once_and_come_back_as_they_were(folder: Path) -> None:
    images = FakeImages(draw(shape=(12, 10, 3)))
    sides = ["L", "R", "", "R", "L", "", "R"]
    first = prepared_images(cohort_of(images, laterality=sides), SMALL)
    assert sorted(images.reads) == list(range(7))
    expected = [prepare(image, side, SMALL, 3) for image, side in zip(images.arrays, sides, strict=True)]
    assert first.dtype == np.uint8
    assert np.array_equal(first, np.stack(expected))
    again = prepared_images(cohort_of(FakeImages(images.arrays, on_read=pytest.fail), laterality=sides), SMALL)
    assert np.array_equal(again, first)


def test_the_array_is_a_read_only_memory_map(folder: Path) -> None:
    pixels = prepared_images(cohort_of(FakeImages(draw())), SMALL)
    assert isinstance(pixels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_a_source_fills_in_what_the_user_leaves_open(folder: Path) -> None:
    images = FakeImages(draw())
    cohort = Cohort("fakes", (), sample_table([f"s{i}" for i in range(7)], [-1] * 7), images, {"image_size": 9})
    assert prepared_images(cohort, Preprocessing()).shape == (7, 1, 9, 9)
    assert prepared_images(cohort, SMALL).shape == (7, 1, 8, 8)


def test_what_changes_pixels_changes_the_place_and_nothing_else_does(folder: Path) -> None:
    arrays = draw()

    def places(settings: Preprocessing = SMALL, images: list[np.ndarray] = arrays, **columns: list[Any]) -> int:
        prepared_images(cohort_of(FakeImages(images), **columns), settings)
        return len(list(folder.rglob("pixels.npy")))

    assert places() == 1
    assert places(Preprocessing(image_size=8, scaling="imagenet")) == 1
    assert places(samples=[f"renamed{i}" for i in range(7)], labels=[1, 1, 0, 0, 0, 0, 0]) == 1
    assert places(laterality=["L"] * 7) == 1
    assert places(Preprocessing(image_size=8, flip=False), laterality=["R"] * 7) == 1
    assert places(laterality=["R"] + ["L"] * 6) == 2
    assert places(laterality=["L"] * 6 + ["R"]) == 3
    assert places(Preprocessing(image_size=9)) == 4
    assert places(Preprocessing(image_size=8, crop=(0, 0, 9, 9))) == 5
    assert places(Preprocessing(image_size=8, channels=3)) == 6
    assert places(Preprocessing(image_size=8, modes="convert")) == 7
    assert places(images=arrays[::-1]) == 8
    changed = [array.copy() for array in arrays]
    changed[4][11, 9] ^= 1
    assert places(images=changed) == 9
    assert places(Preprocessing(image_size=8, fit="pad")) == 10


def test_what_lies_beside_the_array_names_no_sample(folder: Path) -> None:
    prepared_images(cohort_of(FakeImages(draw()), samples=[f"patient{i}" for i in range(7)]), SMALL)
    assert files_in(folder) == ["pixels.json", "pixels.npy"]
    text = next(folder.rglob("pixels.json")).read_text()
    assert "patient" not in text
    known = json.loads(text)
    assert (known["images"], known["shape"], known["dtype"]) == (7, [7, 1, 8, 8], "uint8")
    assert known["settings"]["image_size"] == 8


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError, OSError])
def test_a_run_that_dies_leaves_no_array_and_the_next_one_succeeds(folder: Path, failure: type[BaseException]) -> None:
    def die(index: int) -> None:
        if index == 25:
            raise failure("stopped")

    arrays = draw(40)
    with pytest.raises(failure, match="stopped"):
        prepared_images(cohort_of(FakeImages(arrays, on_read=die)), SMALL)
    assert files_in(folder) == []
    assert np.array_equal(
        prepared_images(cohort_of(FakeImages(arrays)), SMALL), np.stack([prepare(a, "", SMALL, 1) for a in arrays])
    )


def test_a_full_disk_is_an_error_that_leaves_nothing(folder: Path) -> None:
    """No file may grow beyond 2,000 bytes, which the system answers like a full disk."""
    resource = pytest.importorskip("resource", reason="no limits on file sizes on this system")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:  # the limit must not outlast the test: what pytest prints may go into a longer file
        with pytest.raises(OSError, match="File too large"):
            prepared_images(cohort_of(FakeImages(draw(40))), SMALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert files_in(folder) == []


def test_what_a_killed_run_left_is_removed_once_it_is_old(folder: Path) -> None:
    prepared_images(cohort_of(FakeImages(draw())), SMALL)
    home = next(folder.rglob("pixels.npy")).parent
    (home / "pixels.npy").unlink()
    for name, age_s in (("old", 2 * array_store.ABANDONED_S), ("new", 10.0)):
        partial = home / f".pixels.{name}.partial.npy"
        partial.write_bytes(b"half")
        written = partial.stat().st_mtime - age_s
        os.utime(partial, (written, written))
    prepared_images(cohort_of(FakeImages(draw())), SMALL)
    assert files_in(folder) == [".pixels.new.partial.npy", "pixels.json", "pixels.npy"]


def test_threads_work_side_by_side_and_order_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    meeting = Barrier(3, timeout=20)
    together = FakeImages(draw(9), on_read=lambda index: meeting.wait())
    parallel = prepared_images(cohort_of(together), SMALL)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setenv("FOVEOLA_CACHE", str(folder / "one"))
    alone = FakeImages(together.arrays)
    assert prepared_images(cohort_of(alone), SMALL).tobytes() == parallel.tobytes()
    assert alone.reads == list(range(9))


def test_only_a_few_images_are_held_ahead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    images = FakeImages(draw(60))
    ahead: list[int] = []

    def watch(description: str, done: int, total: int) -> None:
        if description == "Decoding images":
            ahead.append(len(images.reads) - done)

    prepared_images(cohort_of(images), SMALL, progress=watch)
    assert max(ahead) <= 4
    assert len(ahead) == 60


def test_progress_counts_to_the_end(folder: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    prepared_images(cohort_of(FakeImages(draw())), SMALL, progress=lambda *call: calls.append(call))
    expected = [(what, done, 7) for what in ("Checking images", "Decoding images") for done in range(1, 8)]
    assert calls == expected


@pytest.mark.parametrize("kind", [FakeImages, FakeFiles])
def test_differently_sized_images_are_refused_unless_asked_for(folder: Path, kind: type[FakeImages]) -> None:
    images = kind([*draw(3), *draw(4, shape=(11, 13))])
    with pytest.raises(FoveolaError) as caught:
        prepared_images(cohort_of(images), SMALL)
    assert "10 x 12 pixels in scan0.png and 13 x 11 pixels in scan3.png" in str(caught.value)
    assert "sizes=any" in str(caught.value)
    assert files_in(folder) == []
    if kind is FakeFiles:
        assert images.reads == []
    stretched = prepared_images(cohort_of(images), Preprocessing(image_size=8, sizes="any"))
    assert stretched.shape == (7, 1, 8, 8)
    with pytest.raises(FoveolaError, match="images of one size"):
        prepared_images(cohort_of(images), SMALL)


def test_a_crop_beyond_an_image_is_found_before_decoding(folder: Path) -> None:
    images = FakeFiles(draw())
    with pytest.raises(FoveolaError, match=r"scan0\.png"):
        prepared_images(cohort_of(images), Preprocessing(crop=(0, 0, 11, 11)))
    assert images.reads == []


def test_the_images_are_asked_to_convert_if_the_settings_say_so(folder: Path) -> None:
    seen: list[str] = []

    @dataclass
    class Watched(FakeFiles):
        def read(self, index: int) -> np.ndarray:
            seen.append(self.modes)
            return super().read(index)

    images = Watched(draw())
    prepared_images(cohort_of(images), Preprocessing(image_size=8, modes="convert"))
    assert seen == ["convert"] * 7
    assert images.modes == "strict"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_grey_colour_and_floats_in_one_cohort(folder: Path, order: tuple[int, ...]) -> None:
    grey, colour = draw(1)[0], draw(1, (12, 10, 3))[0]
    fine = np.random.default_rng(8).random((12, 10)).astype(np.float32)
    images = FakeImages([[grey, colour, fine][place] for place in order])
    pixels = prepared_images(_three(images), SMALL)
    expected = [prepare(grey, "", SMALL, 3) / np.float32(255), prepare(colour, "", SMALL, 3) / np.float32(255)]
    expected.append(prepare(fine, "", SMALL, 3))
    assert pixels.dtype == np.float32
    assert np.array_equal(pixels, np.stack([expected[place] for place in order]))
    assert sorted(images.reads) == [0, 1, 2]
    forced = prepared_images(_three(images), Preprocessing(image_size=8, channels=1))
    assert forced.shape == (3, 1, 8, 8)


def _three(images: FakeImages) -> Cohort:
    return Cohort("mixed", (), sample_table(["x", "y", "z"], [-1, -1, -1]), images)


def test_fingerprint_follows_ids_labels_and_contents() -> None:
    arrays = draw()
    original = fingerprint(cohort_of(FakeImages(arrays)))
    assert fingerprint(cohort_of(FakeImages([array.copy() for array in arrays]))) == original
    changed = [array.copy() for array in arrays]
    changed[6][0, 0] ^= 1
    assert fingerprint(cohort_of(FakeImages(changed))) != original
    assert fingerprint(cohort_of(FakeImages(arrays), labels=[1, 1, 0, 1, 0, 1, 0])) != original
    assert fingerprint(cohort_of(FakeImages(arrays), samples=[f"t{i}" for i in range(7)])) != original


def test_no_image_is_hashed_twice_in_a_process(folder: Path) -> None:
    images = FakeImages(draw())
    fingerprint(cohort_of(images))
    prepared_images(cohort_of(images), SMALL)
    prepared_images(cohort_of(images), Preprocessing(image_size=9))
    assert sorted(images.digests) == list(range(7))


def test_digests_do_not_outlive_their_images() -> None:
    images = FakeImages(draw())
    fingerprint(cohort_of(images))
    before = len(array_store._DIGESTS)
    del images
    assert len(array_store._DIGESTS) == before - 1
