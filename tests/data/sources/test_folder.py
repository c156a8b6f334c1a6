from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveola.data import load_cohort
from foveola.foundation.errors import FoveolaError


def draw(root: Path, *names: str) -> None:
    for place, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, 10), place, np.uint8)).save(root / name)


def test_class_folders(tmp_path: Path) -> None:
    draw(tmp_path, "grade 10/2.png", "grade 10/10.png", "grade 2/a/b.jpg", "grade 2/a/a.BMP", "grade 2/.hidden.png")
    (tmp_path / "grade 2" / "Thumbs.db").touch()
    (tmp_path / "README.txt").touch()
    cohort = load_cohort(str(tmp_path))
    assert cohort.name == tmp_path.name
    assert cohort.classes == ("grade 2", "grade 10")
    assert cohort.table["sample"].tolist() == [
        "grade 2/a/a.BMP",
        "grade 2/a/b.jpg",
        "grade 10/2.png",
        "grade 10/10.png",
    ]
    assert cohort.table["label"].tolist() == [0, 0, 1, 1]
    assert set(cohort.table["split"]) == set(cohort.table["group"]) == {""}
    assert [int(cohort.images.read(index)[0, 0]) for index in (2, 3)] == [0, 1]


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("train", "val", "test"), ("Training", "valid", "testing"), ("train", "validation", "TEST")],
)
def test_split_folders(tmp_path: Path, train: str, val: str, test: str) -> None:
    draw(tmp_path, f"{train}/a/1.png", f"{train}/b/1.png", f"{val}/b/1.png", f"{test}/a/1.png")
    cohort = load_cohort(f"folder:{tmp_path}")
    found = {row.sample: (cohort.classes[row.label], row.split) for row in cohort.table.itertuples()}
    assert found == {
        f"{train}/a/1.png": ("a", "train"),
        f"{train}/b/1.png": ("b", "train"),
        f"{val}/b/1.png": ("b", "val"),
        f"{test}/a/1.png": ("a", "test"),
    }


def test_a_class_may_be_called_like_a_split_where_there_are_no_splits(tmp_path: Path) -> None:
    draw(tmp_path, "control/1.png", "control/2.png", "test/1.png", "test/2.png")
    assert load_cohort(str(tmp_path)).classes == ("control", "test")


def test_without_labels_any_images_will_do(tmp_path: Path) -> None:
    draw(tmp_path, "10.png", "9.png", "sub/1.png")
    cohort = load_cohort(str(tmp_path), labelled=False)
    assert cohort.classes == ()
    assert cohort.table["sample"].tolist() == ["9.png", "10.png", "sub/1.png"]
    assert set(cohort.table["label"]) == {-1}
    single = load_cohort(str(tmp_path / "9.png"), labelled=False)
    assert single.table["sample"].tolist() == ["9.png"]
    assert int(single.images.read(0)[0, 0]) == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "expected a folder with a folder per class, got no images"),
        (("1.png", "2.png"), "expected a folder with a folder per class, got images without labels"),
        (("a/1.png", "b/1.png", "3.png"), "got 1 files without labels, the first '3.png'"),
        (
            ("train/1.png", "test/1.png"),
            "expected a folder with a folder per class, got images without labels, in .*test;",
        ),
        (("train/a/1.png", "train/b/1.png", "other/1.png"), "'other' too"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    draw(tmp_path, *files)
    with pytest.raises(FoveolaError, match=message):
        load_cohort(f"folder:{tmp_path}")


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    draw(tmp_path, "a/1.png", "a/2.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").touch()
    with pytest.raises(FoveolaError, match=rf"expected images in every class folder, got none, in {tmp_path / 'b'};"):
        load_cohort(str(tmp_path))


def test_no_images_to_predict(tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match="expected at least one image, got none"):
        load_cohort(str(tmp_path), labelled=False)
    with pytest.raises(FoveolaError, match="got none, in --data folder"):
        load_cohort("folder", labelled=False)


def test_real_faces(real_data: Path) -> None:
    cohort = load_cohort(str(real_data / "orl-faces"))
    assert len(cohort) == 400
    assert cohort.classes == tuple(f"s{number}" for number in range(1, 41))
    assert cohort.images.header(0) == (92, 112, 1)
