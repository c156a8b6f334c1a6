"""CHASE_DB1: the real files, and copies that are not whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveola.data import load_cohort
from foveola.data.splits.splits import holdout
from foveola.data.stored.cache import prepared_images
from foveola.data.stored.mask_cache import prepared_masks
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError


@pytest.fixture
def empty_copy(tmp_path: Path) -> Path:
    """All files of the real layout, in a folder inside, of 12 x 10 pixels."""
    inside = tmp_path / "CHASEDB1"
    inside.mkdir()
    for child in range(1, 15):
        for side in "LR":
            name = f"Image_{child:02d}{side}"
            Image.new("RGB", (10, 12)).save(inside / f"{name}.jpg")
            for observer in ("1stHO", "2ndHO"):
                Image.new("1", (10, 12)).save(inside / f"{name}_{observer}.png")
    return tmp_path


def test_the_table_keeps_both_eyes_of_a_child_together(empty_copy: Path) -> None:
    cohort = load_cohort(f"chase:{empty_copy}")
    assert (len(cohort), cohort.task, cohort.classes) == (28, "segmentation", ("background", "vessel"))
    assert cohort.masks is not None
    assert cohort.masks.observers == ("1stHO", "2ndHO")
    rows = cohort.table.set_index("sample")
    assert rows.loc["Image_10R", ["group", "split", "laterality"]].tolist() == ["child 10", "train", "R"]
    assert rows.loc["Image_11L", ["group", "split", "laterality"]].tolist() == ["child 11", "test", "L"]
    assert (rows.groupby("group").size() == 2).all()
    assert holdout(cohort)["role"].tolist() == ["train"] * 20 + ["test"] * 8
    assert cohort.preprocessing == {"image_size": 512, "fit": "pad", "flip": False}


@pytest.mark.parametrize("name", ["Image_07R.jpg", "Image_01L_1stHO.png", "Image_14R_2ndHO.png"])
def test_a_missing_file_is_named(empty_copy: Path, name: str) -> None:
    (empty_copy / "CHASEDB1" / name).unlink()
    with pytest.raises(FoveolaError, match=f"two masks of each, got no {name}, in .*complete the copy"):
        load_cohort(f"chase:{empty_copy}")


def test_photographs_alone_are_enough_to_predict(empty_copy: Path) -> None:
    inside = empty_copy / "CHASEDB1"
    for path in inside.iterdir():
        if path.name not in ("Image_03L.jpg", "Image_12R.jpg"):
            path.unlink()
    cohort = load_cohort(f"chase:{empty_copy}", labelled=False)
    assert cohort.table["sample"].tolist() == ["Image_03L", "Image_12R"]
    assert (cohort.masks, cohort.classes) == (None, ())
    for path in inside.iterdir():
        path.unlink()
    with pytest.raises(FoveolaError, match=r"no Image_01L\.jpg"):
        load_cohort(f"chase:{empty_copy}", labelled=False)


def test_the_second_observer_against_the_first(real_data: Path) -> None:
    """Dice of the real masks, image by image, which is 0.777 over all 28 photographs and 0.798 over the last 8."""
    cohort = load_cohort(f"chase:{real_data / 'chase-db1'}")
    assert cohort.masks is not None
    dice = []
    for index in range(len(cohort)):
        first, second = (cohort.masks.read(index, observer).astype(bool) for observer in (0, 1))
        dice.append(2 * (first & second).sum() / (first.sum() + second.sum()))
    assert np.mean(dice) == pytest.approx(0.7765, abs=1e-4)
    assert np.mean(dice[20:]) == pytest.approx(0.7977, abs=1e-4)


def test_real_vessels_are_dark_where_the_stored_mask_says(real_data: Path) -> None:
    """Vessels are darker than what is beside them in green; a mask that is a pixel off shows less of it."""
    cohort = load_cohort(f"pairs:{real_data / 'chase-db1'},suffix=_1stHO+_2ndHO")
    settings = Preprocessing(image_size=300, fit="pad", flip=False)
    green = prepared_images(cohort, settings)[20:, 1].astype(float)
    vessels = prepared_masks(cohort, settings)[20:, 0]
    contrast = {
        (down, across): green[np.roll(vessels, (down, across), (1, 2)) == 1].mean()
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
    }
    assert min(contrast, key=lambda shift: contrast[shift]) == (0, 0)
