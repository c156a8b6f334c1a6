"""ISIC 2017: generated folders with the real layout and its traps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveola.data import load_cohort
from foveola.data.images.masks import IGNORED
from foveola.data.stored.cache import prepared_images
from foveola.data.stored.mask_cache import prepared_masks
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError

NUMBERS = {"Training": (0, 2, 10), "Validation": (13, 17), "Test_v2": (22, 39, 45, 46)}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Every image of a size of its own, with superpixels and a table of metadata beside them."""
    for part, numbers in NUMBERS.items():
        images = tmp_path / f"ISIC-2017_{part}_Data"
        masks = tmp_path / f"ISIC-2017_{part}_Part1_GroundTruth"
        if part == "Validation":  # as some programs unpack
            images, masks = images / images.name, masks / masks.name
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for number in numbers:
            name, size = f"ISIC_{number:07d}", (20 + number, 13 + number // 2)
            Image.new("RGB", size, (200, 150, 130)).save(images / f"{name}.jpg")
            Image.new("RGB", size, (number, 0, 0)).save(images / f"{name}_superpixels.png")
            drawn = np.zeros(size[::-1], np.uint8)
            drawn[2 : 5 + number, 3:9] = 255
            Image.fromarray(drawn).save(masks / f"{name}_segmentation.png")
        (images / f"ISIC-2017_{part}_Data_metadata.csv").write_text("image_id,age_approximate,sex\n")
    return tmp_path


def test_the_official_layout(archive: Path) -> None:
    cohort = load_cohort(f"isic2017:{archive}")
    assert (len(cohort), cohort.task, cohort.classes) == (9, "segmentation", ("background", "lesion"))
    assert cohort.table["sample"].tolist()[1] == "ISIC_0000002"
    assert cohort.table["split"].tolist() == ["train"] * 3 + ["val"] * 2 + ["test"] * 4
    assert cohort.masks is not None
    for index, number in enumerate(sum(NUMBERS.values(), ())):
        read = cohort.masks.read(index)
        assert read.shape == cohort.images.read(index).shape[:2] == (13 + number // 2, 20 + number)
        assert read[3, 4] == 1
        assert read.sum() == 6 * (min(5 + number, 13 + number // 2) - 2)


def test_images_of_any_size_are_prepared_by_default(archive: Path) -> None:
    cohort = load_cohort(f"isic2017:{archive}")
    assert prepared_images(cohort, Preprocessing()).shape == (9, 3, 256, 256)
    masks = prepared_masks(cohort, Preprocessing(image_size=40))
    assert masks.shape == (9, 1, 40, 40)
    assert ((masks == IGNORED).mean(axis=(1, 2, 3)) > 0.2).all()


def test_the_training_set_alone_will_do(archive: Path) -> None:
    for part in ("Validation", "Test_v2"):
        shutil.rmtree(archive / f"ISIC-2017_{part}_Data")
    assert load_cohort(f"isic2017:{archive}").table["split"].tolist() == ["train"] * 3


def test_what_is_not_whole(archive: Path) -> None:
    truth = archive / "ISIC-2017_Test_v2_Part1_GroundTruth"
    (truth / "ISIC_0000045_segmentation.png").unlink()
    with pytest.raises(FoveolaError, match=r"the first 'ISIC_0000045' \(no 'ISIC_0000045_segmentation\.png'\)"):
        load_cohort(f"isic2017:{archive}")
    truth.rename(archive / "elsewhere")
    with pytest.raises(FoveolaError, match="the folder ISIC-2017_Test_v2_Part1_GroundTruth, got none"):
        load_cohort(f"isic2017:{archive}")
    assert len(load_cohort(f"isic2017:{archive}", labelled=False)) == 9
    (archive / "ISIC-2017_Training_Data").rename(archive / "scans")
    with pytest.raises(FoveolaError, match="the folder ISIC-2017_Training_Data, got none"):
        load_cohort(f"isic2017:{archive}")
