"""Pairs of images and masks, as people keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveola.data import load_cohort
from foveola.data.cohort import Cohort
from foveola.foundation.errors import FoveolaError


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def image(path: Path, seed: int = 0) -> Path:
    return save(path, np.random.default_rng(seed).integers(0, 256, (12, 10, 3), dtype=np.uint8))


def mask(path: Path, foreground: int, value: int = 255) -> Path:
    """A mask whose foreground is as many pixels as it says, so that every mask can be told from the others."""
    array = np.zeros(120, np.uint8)
    array[:foreground] = value
    return save(path, array.reshape(12, 10))


def foregrounds(cohort: Cohort, observer: int = 0) -> list[int]:
    assert cohort.masks is not None
    return [int((cohort.masks.read(index, observer) == 1).sum()) for index in range(len(cohort))]


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Folders side by side, with a folder inside; eye10 comes after eye9."""
    root = tmp_path / "eyes"
    for number, name in enumerate(["eye9", "eye10", "left/eye1"], 1):
        image(root / "images" / f"{name}.jpg")
        mask(root / "masks" / f"{name}.png", number)
    (root / "masks" / ".DS_Store").touch()
    (root / "notes.txt").touch()
    return root


@pytest.mark.parametrize("prefix", ["pairs:", ""])
def test_folders_side_by_side(beside: Path, prefix: str) -> None:
    cohort = load_cohort(f"{prefix}{beside}")
    assert (cohort.name, cohort.task, cohort.classes) == ("eyes", "segmentation", ("background", "foreground"))
    assert cohort.table["sample"].tolist() == ["eye9.jpg", "eye10.jpg", "left/eye1.jpg"]
    assert (cohort.table["label"] == -1).all()
    assert (cohort.table["split"] == "").all()
    assert foregrounds(cohort) == [1, 2, 3]
    assert cohort.masks is not None
    assert cohort.masks.observers == ("mask",)
    assert cohort.preprocessing == {"fit": "pad"}
    assert cohort.images.read(2).shape == (12, 10, 3)


def test_without_labels_masks_are_not_looked_at(beside: Path) -> None:
    for path in (beside / "masks").rglob("*.png"):
        path.write_bytes(b"no mask")
    for data in (str(beside), f"pairs:{beside}"):
        cohort = load_cohort(data, labelled=False)
        assert (cohort.masks, cohort.classes, len(cohort)) == (None, (), 3)
    plain = load_cohort(f"pairs:{beside / 'images'}", labelled=False)
    assert plain.table["sample"].tolist() == ["eye9.jpg", "eye10.jpg", "left/eye1.jpg"]


def test_folders_of_other_names_and_of_two_observers(tmp_path: Path) -> None:
    for number, name in enumerate(["a", "b"], 1):
        image(tmp_path / "scans" / f"{name}.png")
        mask(tmp_path / "drawn" / "smith" / f"{name}_m.png", number)
        mask(tmp_path / "drawn" / "jones" / f"{name}_m.tif", 10 * number)
    cohort = load_cohort(f"pairs:{tmp_path},images=scans,masks=drawn/smith+drawn/jones,suffix=_m")
    assert cohort.masks is not None
    assert cohort.masks.observers == ("drawn/smith", "drawn/jones")
    assert foregrounds(cohort) == [1, 2]
    assert foregrounds(cohort, 1) == [10, 20]


@pytest.mark.parametrize("suffix", ["_1stHO.png+_2ndHO.png", "_1stHO+_2ndHO"])
def test_one_folder_with_suffixes(tmp_path: Path, suffix: str) -> None:
    for number, name in enumerate(["x01", "x02"], 1):
        image(tmp_path / f"{name}.jpg")
        mask(tmp_path / f"{name}_1stHO.png", number)
        mask(tmp_path / f"{name}_2ndHO.png", 10 * number)
    cohort = load_cohort(f"pairs:{tmp_path},suffix={suffix}")
    assert cohort.table["sample"].tolist() == ["x01.jpg", "x02.jpg"]
    assert cohort.masks is not None
    assert cohort.masks.observers == ("1stHO", "2ndHO")
    assert (foregrounds(cohort), foregrounds(cohort, 1)) == ([1, 2], [10, 20])
    unlabelled = load_cohort(f"pairs:{tmp_path},suffix={suffix}", labelled=False)
    assert unlabelled.table["sample"].tolist() == ["x01.jpg", "x02.jpg"]


def test_one_folder_where_only_the_ending_differs(tmp_path: Path) -> None:
    image(tmp_path / "a.jpg")
    mask(tmp_path / "a.png", 7)
    assert foregrounds(load_cohort(f"pairs:{tmp_path},suffix=.png")) == [7]


def test_folders_of_splits(tmp_path: Path) -> None:
    for number, split in enumerate(["train", "Validation", "test"], 1):
        image(tmp_path / split / "images" / "a.png", number)
        mask(tmp_path / split / "masks" / "a.png", number)
    cohort = load_cohort(str(tmp_path))
    assert dict(zip(cohort.table["sample"], cohort.table["split"], strict=True)) == {
        "test/a.png": "test",
        "train/a.png": "train",
        "Validation/a.png": "val",
    }
    assert foregrounds(cohort) == [3, 1, 2]


def test_classes_spacing_and_unit(tmp_path: Path) -> None:
    image(tmp_path / "images" / "a.png")
    mask(tmp_path / "masks" / "a.png", 5, value=7)
    cohort = load_cohort(f"pairs:{tmp_path},classes=0:background+7:vessel,spacing=0.5x0.25,unit=mm")
    assert cohort.classes == ("background", "vessel")
    assert foregrounds(cohort) == [5]
    assert (cohort.spacing, cohort.unit) == ((0.5, 0.25), "mm")
    with pytest.raises(FoveolaError, match=r"got 7 in 5 pixels, in .*a\.png"):
        foregrounds(load_cohort(str(tmp_path)))
    assert load_cohort(f"pairs:{tmp_path},spacing=3,unit=um", labelled=False).spacing == (3.0, 3.0)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    rows = ["file,mask,mask_jones,split,group,laterality"]
    for number, split in enumerate(["train", "train", "test"], 1):
        image(tmp_path / "scans" / f"{number}.png")
        mask(tmp_path / "smith" / f"{number}.png", number)
        mask(tmp_path / "jones" / f"eye{number}.png", 10 * number)
        rows.append(f"scans/{number}.png,smith/{number}.png,jones/eye{number}.png,{split},p{number // 2},OD")
    (tmp_path / "eyes.csv").write_text("\n".join(rows))
    return tmp_path


@pytest.mark.parametrize("data", ["{}", "pairs:{}", "{}/eyes.csv", "pairs:{}/eyes.csv"])
def test_a_csv_names_images_and_masks(listed: Path, data: str) -> None:
    cohort = load_cohort(data.format(listed))
    assert cohort.table["sample"].tolist() == ["scans/1.png", "scans/2.png", "scans/3.png"]
    assert cohort.table[["group", "split", "laterality"]].to_numpy().tolist()[1:] == [
        ["p1", "train", "R"],
        ["p1", "test", "R"],
    ]
    assert cohort.masks is not None
    assert cohort.masks.observers == ("mask", "jones")
    assert (foregrounds(cohort), foregrounds(cohort, 1)) == ([1, 2, 3], [10, 20, 30])
    unlabelled = load_cohort(data.format(listed), labelled=False)
    assert (len(unlabelled), unlabelled.masks) == (3, None)


def test_a_csv_with_labels_is_a_table_unless_pairs_are_asked_for(listed: Path) -> None:
    path = listed / "eyes.csv"
    lines = path.read_text().split("\n")
    path.write_text("\n".join(f"{line},{label}" for line, label in zip(lines, ["label", "a", "b", "a"], strict=True)))
    assert load_cohort(f"table:{path},extra=ignore").classes == ("a", "b")
    assert load_cohort(f"pairs:{listed}").task == "segmentation"
    with pytest.raises(FoveolaError, match="a row for every image"):
        load_cohort(str(listed))


def test_a_csv_that_lacks_masks(listed: Path) -> None:
    path = listed / "eyes.csv"
    whole = path.read_text()
    path.write_text(whole.replace("jones/eye2.png", ""))
    with pytest.raises(FoveolaError, match=r"a file in column 'mask_jones' of every row, got none in line 3, in .*csv"):
        load_cohort(str(path))
    path.write_text(whole.replace("smith/3.png", "smith/4.png"))
    with pytest.raises(FoveolaError, match=r"got 'smith/4\.png', which does not exist, in line 4"):
        load_cohort(str(path))
    path.write_text(whole.replace("mask", "truth"))
    with pytest.raises(FoveolaError, match="expected a column 'mask', got only file, truth, truth_jones, split"):
        load_cohort(f"pairs:{path}")
    with pytest.raises(FoveolaError, match="no folders beside a CSV, got 'masks'"):
        load_cohort(f"pairs:{path},masks=smith")


def test_what_lacks_a_partner(beside: Path) -> None:
    lost = beside / "masks" / "left" / "eye1.png"
    lost.unlink()
    with pytest.raises(
        FoveolaError, match=r"observer 'mask', got 1 images without, the first 'left/eye1' \(no 'left/eye1'\)"
    ):
        load_cohort(str(beside))
    mask(lost, 3)
    mask(beside / "masks" / "eye77.png", 4)
    with pytest.raises(FoveolaError, match=r"an image for every mask, got 1 masks without, the first 'eye77\.png'"):
        load_cohort(str(beside))
    (beside / "masks" / "eye77.png").unlink()
    mask(beside / "masks" / "eye9.bmp", 4)
    with pytest.raises(FoveolaError, match=r"one mask of 'eye9', got eye9\.bmp and eye9\.png"):
        load_cohort(str(beside))


def test_one_observer_is_missing_for_an_image(tmp_path: Path) -> None:
    for name in ("a", "b"):
        image(tmp_path / f"{name}.jpg")
        mask(tmp_path / f"{name}_x.png", 1)
    mask(tmp_path / "a_y.png", 1)
    with pytest.raises(FoveolaError, match=r"observer 'y', got 1 images without, the first 'b' \(no 'b_y'\)"):
        load_cohort(f"pairs:{tmp_path},suffix=_x+_y")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (",masks=truth", "expected a folder, got nothing of that name, in .*truth"),
        (",images=scans", "expected a folder, got nothing of that name, in .*scans"),
        (",masks=masks+images+masks,suffix=_a+_b", "as many folders of masks as suffixes, got 3 and 2"),
        (",classes=0:background", "got 1, in --data pairs, option classes"),
        (",spacing=0.5", "expected a spacing and its unit, got one of the two"),
        (",unit=mm", "expected a spacing and its unit"),
        (",spacing=0,unit=mm", "got '0', in --data pairs, option spacing"),
        (",spacing=1x2x3,unit=mm", "got '1x2x3'"),
        (",sufix=_a", "did you mean 'suffix'"),
    ],
)
def test_options_that_make_no_sense(beside: Path, options: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        load_cohort(f"pairs:{beside}{options}")


def test_a_folder_without_masks(tmp_path: Path) -> None:
    image(tmp_path / "scans" / "a.png")
    with pytest.raises(FoveolaError, match=r"'images' and 'masks' side by side, .* got neither, in .*suffix="):
        load_cohort(f"pairs:{tmp_path}")
