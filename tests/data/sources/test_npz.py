from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foveola.data import load_cohort
from foveola.foundation.errors import FoveolaError


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    made: dict[str, np.ndarray] = {}
    for split, count in (("train", 7), ("val", 3), ("test", 4)):
        made[f"{split}_images"] = rng.integers(0, 256, (count, 12, 10), dtype=np.uint8)
        made[f"{split}_labels"] = (np.arange(count, dtype=np.uint8) % 3)[:, None]
    return made


def saved(tmp_path: Path, made: dict[str, np.ndarray]) -> str:
    np.savez(tmp_path / "scans.npz", **made)
    return str(tmp_path / "scans.npz")


def test_the_layout_of_medmnist(tmp_path: Path) -> None:
    made = arrays()
    cohort = load_cohort(saved(tmp_path, made))
    assert cohort.name == "scans"
    assert cohort.classes == ("0", "1", "2")
    assert cohort.table["split"].tolist() == ["train"] * 7 + ["val"] * 3 + ["test"] * 4
    assert cohort.table["sample"].tolist()[::6] == ["train-00000", "train-00006", "test-00002"]
    assert cohort.table["label"].tolist() == [0, 1, 2, 0, 1, 2, 0, 0, 1, 2, 0, 1, 2, 0]
    for index, (split, place) in {0: ("train", 0), 9: ("val", 2), 13: ("test", 3)}.items():
        np.testing.assert_array_equal(cohort.images.read(index), made[f"{split}_images"][place])
    assert cohort.images.where(13) == f"test_images of {tmp_path / 'scans.npz'}[3]"


def test_no_validation_images(tmp_path: Path) -> None:
    made = {name: array for name, array in arrays().items() if "val" not in name}
    assert load_cohort(f"npz:{saved(tmp_path, made)}").table["split"].tolist() == ["train"] * 7 + ["test"] * 4


def test_images_and_labels_only(tmp_path: Path) -> None:
    images = np.random.default_rng(6).random((5, 12, 10, 3))
    cohort = load_cohort(saved(tmp_path, {"images": images, "labels": np.array([7.0, 2.0, 7.0, 2.0, 2.0])}))
    assert cohort.classes == ("2", "7")
    assert cohort.table["label"].tolist() == [1, 0, 1, 0, 0]
    assert cohort.table["sample"].tolist()[-1] == "image-00004"
    assert set(cohort.table["split"]) == {""}
    np.testing.assert_array_equal(cohort.images.read(4), images[4].astype(np.float32))


def test_without_labels_none_are_needed(tmp_path: Path) -> None:
    made = {"test_images": arrays()["test_images"]}
    cohort = load_cohort(saved(tmp_path, made), labelled=False)
    assert cohort.table["sample"].tolist() == [f"test-0000{place}" for place in range(4)]
    assert cohort.classes == ()
    with pytest.raises(FoveolaError, match="expected the array 'train_images', got only test_images"):
        load_cohort(saved(tmp_path, made))


FLOATS = np.full((7, 12, 10), 0.5)
FLOATS[4, 11, 9] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": FLOATS}, r"NaN or infinity in image 4 \(the first of 1\), in train_images of .*scans.npz"),
        ({"train_labels": np.zeros((7, 14), int)}, "expected one label an image, got 14 .*train_labels of"),
        ({"val_labels": np.zeros(2, int)}, "expected 3 labels, as many as images, got 2, in val_labels of"),
        ({"test_labels": np.array([0, 1, np.nan, 2])}, "expected whole numbers from 0, got nan at place 2"),
        ({"test_labels": np.array([0, 1, 0.5, 2])}, "expected whole numbers from 0, got 0.5 at place 2"),
        ({"test_labels": np.array([0, -1, 1, 2])}, "expected whole numbers from 0, got -1 at place 1"),
        ({"test_labels": np.array(list("abca"))}, "expected whole numbers, got type <U1"),
        ({"test_labels": np.array([0, 1, None, 2], object)}, "expected a readable .npz file of plain arrays"),
        ({"train_images": np.zeros((7, 12, 10, 28), np.uint8)}, "got 7 x 12 x 10 x 28"),
        ({"train_images": np.zeros((7, 12, 10), np.uint16)}, "got uint16"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        load_cohort(saved(tmp_path, arrays() | change))


@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_labels", "val_labels"])
def test_an_array_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    made = arrays()
    del made[name]
    with pytest.raises(FoveolaError, match=f"expected the array '{name}', got only "):
        load_cohort(saved(tmp_path, made))


def test_files_that_are_no_archives(tmp_path: Path) -> None:
    path = tmp_path / "scans.npz"
    whole = Path(saved(tmp_path, arrays())).read_bytes()
    np.save(tmp_path / "one.npy", np.zeros(3))
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-30], (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(FoveolaError, match=r"expected a readable .npz file of plain arrays") as caught:
            load_cohort(str(path))
        assert str(path) in str(caught.value)
