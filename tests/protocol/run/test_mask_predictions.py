"""Predicted masks on the pixels on which they are scored, against masks that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveola.attention import ARMS
from foveola.data import load_cohort
from foveola.data.images.masks import IGNORED
from foveola.data.stored.mask_cache import prepared_masks
from foveola.data.stored.preprocessing import Preprocessing, resolve
from foveola.foundation.errors import FoveolaError
from foveola.protocol.run.mask_predictions import ScoringGrid, mask_path, observer_of, write_masks

HEIGHT, WIDTH, CLASSES = 44, 36, ("background", "artery", "vein")
IDENTITY = {"arm": "plain", "fold": 3, "seed": 1, "epoch": 9}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four colour images, two of each side, with masks of three classes by two observers, in blocks of 2 x 2."""
    folder = tmp_path_factory.mktemp("cells")
    rng = np.random.default_rng(0)
    rows = ["file,laterality,mask,mask_second"]
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(folder / f"{number}.png")
        for name in ("mask", "second"):
            drawn = rng.integers(0, 3, (HEIGHT // 2, WIDTH // 2), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
            Image.fromarray(drawn).save(folder / f"{number}_{name}.png")
        rows.append(f"{number}.png,{'LR'[number % 2]},{number}_mask.png,{number}_second.png")
    (folder / "cells.csv").write_text("\n".join(rows) + "\n")
    return folder / "cells.csv"


def grid_of(cells: Path, *, stored: bool = False, **preprocessing: Any) -> tuple[ScoringGrid, np.ndarray]:
    """Returns the grid, and the reference's masks as they are stored."""
    cohort = load_cohort(f"pairs:{cells},classes=0:background+1:artery+2:vein,spacing=0.5x0.25,unit=mm")
    settings = resolve(Preprocessing(**preprocessing), cohort.preprocessing)
    masks = prepared_masks(cohort, settings)
    return ScoringGrid(cohort, settings, masks if stored else None), masks


def sure(mask: np.ndarray) -> np.ndarray:
    """Returns the probabilities of someone who is sure of a stored mask; of nothing where there is no image."""
    return np.stack([mask == k for k in range(3)]).astype(np.float32)


@pytest.mark.parametrize(("fit", "size"), [("pad", 2 * HEIGHT), ("stretch", 9 * HEIGHT)])
@pytest.mark.parametrize("flip", [True, False])
def test_what_was_stored_comes_back_as_it_was_drawn(cells: Path, fit: str, size: int, flip: bool) -> None:
    """Enlarged by whole numbers nothing is lost: right eyes are mirrored back, and what was padded is cut off."""
    grid, stored = grid_of(cells, image_size=size, fit=fit, flip=flip)
    for row in range(4):
        mask, probabilities = grid.answer(sure(stored[row, 0]), row)
        assert grid.cohort.masks is not None
        assert np.array_equal(mask, grid.cohort.masks.read(row))
        assert mask.dtype == np.uint8
        assert probabilities is not None
        assert probabilities.shape == (3, HEIGHT, WIDTH)
        assert np.array_equal(grid.observed(row, 1), grid.cohort.masks.read(row, 1))
    assert grid.spacing(2) == (0.5, 0.25)
    assert grid.image(1).shape == (HEIGHT, WIDTH, 3)


def test_what_was_cropped_away_is_background(cells: Path) -> None:
    grid, stored = grid_of(cells, image_size=80, crop=(4, 2, 24, 42), fit="pad")
    mask, _ = grid.answer(sure(stored[1, 0]), 1)
    reference = grid.observed(1)
    assert np.array_equal(mask[2:42, 4:24], reference[2:42, 4:24])
    outside = mask.copy()
    outside[2:42, 4:24] = 0
    assert outside.max() == 0
    assert mask.shape == (HEIGHT, WIDTH)


def test_what_is_stored_is_scored_as_it_is_stored(cells: Path) -> None:
    grid, stored = grid_of(cells, stored=True, image_size=22, fit="pad")
    probabilities = sure(stored[3, 1])
    mask, given = grid.answer(probabilities, 3)
    assert given is probabilities
    assert np.array_equal(mask, np.where(stored[3, 1] == IGNORED, 0, stored[3, 1]))
    assert np.array_equal(grid.observed(3, 1), stored[3, 1])
    assert (stored[3] == IGNORED).any(), "the image is not square"
    assert grid.spacing(3) == (1.0, 0.5), "a stored pixel is two of the image high and wide"


@pytest.mark.parametrize("stored", [False, True])
def test_a_row_an_image_with_areas_in_the_unit_of_the_images(cells: Path, stored: bool, tmp_path: Path) -> None:
    grid, _ = grid_of(cells, stored=stored, image_size=22, fit="pad")
    rows = np.array([2, 0])
    answers = [(grid.observed(row, 1), None) for row in rows.tolist()]
    table = write_masks(answers, IDENTITY, rows, grid, CLASSES, tmp_path)
    assert table["sample"].tolist() == ["2.png", "0.png"]
    assert table[list(IDENTITY)].drop_duplicates().to_dict("records") == [IDENTITY]
    for (mask, _), row in zip(answers, table.to_dict("records"), strict=True):
        pixel = 1.0 * 0.5 if stored else 0.5 * 0.25
        assert row["area[artery]"] == pytest.approx((mask == 1).sum() * pixel)
        assert row["area[vein]"] == pytest.approx((mask == 2).sum() * pixel)
        assert np.isnan(row["auc"])
        with Image.open(mask_path(tmp_path, row["sample"])) as written:
            assert np.array_equal(np.asarray(written), np.where(mask == IGNORED, 0, mask))
    own = table.set_index("sample").loc["0.png"]
    first, second = grid.observed(0), grid.observed(0, 1)
    inside = first != IGNORED
    dice = [
        2
        * ((first == k) & (second == k) & inside).sum()
        / (((first == k) & inside).sum() + ((second == k) & inside).sum())
        for k in (1, 2)
    ]
    assert own["dice"] == pytest.approx(np.mean(dice))
    assert own["dice[vein]"] == pytest.approx(dice[1])


def test_what_is_called_beside_the_image_is_no_area(cells: Path, tmp_path: Path) -> None:
    grid, stored = grid_of(cells, stored=True, image_size=22, fit="pad")
    everything = np.ones_like(stored[0, 0])
    (row,) = write_masks([(everything, None)], IDENTITY, np.array([0]), grid, CLASSES, tmp_path).to_dict("records")
    inside = stored[0, 0] != IGNORED
    assert row["area[artery]"] == pytest.approx(0.5 * inside.sum())
    with Image.open(mask_path(tmp_path, "0.png")) as written:
        assert np.array_equal(np.asarray(written), inside)


def test_images_without_masks_have_areas_alone(cells: Path, tmp_path: Path) -> None:
    cohort = load_cohort(str(cells.parent / "0.png"), labelled=False)
    grid = ScoringGrid(cohort, Preprocessing(image_size=32))
    mask = np.ones((HEIGHT, WIDTH), np.uint8)
    table = write_masks([(mask, None)], IDENTITY, np.array([0]), grid, CLASSES, tmp_path)
    assert list(table) == ["sample", "arm", "fold", "seed", "epoch", "label", "area[artery]", "area[vein]"]
    assert table["area[artery]"].tolist() == [HEIGHT * WIDTH], "in pixels, as no spacing is known"


def test_an_observer_is_looked_up_in_the_data(cells: Path) -> None:
    cohort = load_cohort(f"pairs:{cells},classes=0:background+1:artery+2:vein")
    human = ARMS["human"]
    assert observer_of(cohort, human.configure({})) == 1
    assert observer_of(cohort, human.configure({"observer": "second"})) == 1
    with pytest.raises(FoveolaError, match=r"got '3' of 2 \(mask, second\), in"):
        observer_of(cohort, human.configure({"observer": 3}))
    with pytest.raises(FoveolaError, match=r"'2' of 1 \(drawn\), in phantom; leave out the arm human"):
        observer_of(load_cohort("phantom:n=6,size=32,masks=true"), human.configure({}))
    with pytest.raises(FoveolaError, match="images with masks, got images with labels, in digits"):
        observer_of(load_cohort("digits"), human.configure({}))
