"""Predicted masks: written as pictures of class numbers, and scored image by image against the first observer's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from PIL import Image

from foveola.attention import ARMS, ArmSettings
from foveola.data.cohort import Cohort
from foveola.data.images.masks import IGNORED
from foveola.data.stored.cache import in_modes
from foveola.data.stored.geometry import Frame, frame_of
from foveola.data.stored.preprocessing import Preprocessing
from foveola.execution import DONE
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.models import FittedModel
from foveola.models.observer import HumanSettings
from foveola.pictures.segmentations import CLASS_COLOURS
from foveola.protocol.run.fit_data import FitData
from foveola.protocol.run.paths import path_of
from foveola.protocol.settings.configuration import RunConfiguration
from foveola.statistics.metrics.mask_scores import mask_scores
from foveola.training import Progress

PREDICTED_MASKS = "masks"
STRIDE = 32
"""What sides have to be multiples of, so that a map at any depth of a network covers what the network sees."""

Mask = UInt8[np.ndarray, "h w"]
Answer = tuple[Mask, Float[np.ndarray, "classes h w"] | None]
"""A mask, and the probabilities behind it where there are some."""


@dataclass(frozen=True)
class ScoringGrid:
    """The pixels on which masks are predicted and scored: those of the images as taken, or as they are stored.

    Attributes:
        cohort: The images, and their masks where they have some.
        preprocessing: How images are stored.
        stored: The stored masks, ``N x observers x S x S``, to score what is stored; ``None`` for images as taken.
    """

    cohort: Cohort
    preprocessing: Preprocessing
    stored: np.ndarray | None = None

    def image(self, row: int) -> np.ndarray:
        """Returns an image as it was taken."""
        return self.cohort.images.read(row)

    def observed(self, row: int, observer: int = 0) -> Mask:
        """Returns the mask that an observer gives."""
        if self.stored is not None:
            mask: Mask = self.stored[row, observer]
            return mask
        assert self.cohort.masks is not None
        return self.cohort.masks.read(row, observer)

    def answer(self, probabilities: Float[np.ndarray, "classes side side"], row: int) -> Answer:
        """Returns the most probable class of every pixel, and the probabilities, which are given as stored."""
        if self.stored is None:
            probabilities = np.moveaxis(self._frame(row).to_original(np.moveaxis(probabilities, 0, -1)), -1, 0)
        return probabilities.argmax(0).astype(np.uint8), probabilities

    def spacing(self, row: int) -> tuple[float, float]:
        """Returns height and width of a pixel in the unit of the images."""
        own = self.cohort.spacing
        return own if self.stored is None else self._frame(row).stored_spacing(own)

    def _frame(self, row: int) -> Frame:
        width, height = self.cohort.size_of(row)
        return frame_of(height, width, self.preprocessing, self.cohort.table["laterality"].iloc[row])


def scoring_grid(configuration: RunConfiguration, data: FitData) -> ScoringGrid:
    """Returns the grid that a comparison is scored on."""
    stored = data.masks if configuration.segmentation.grid == "stored" else None
    settings = configuration.preprocessing
    return ScoringGrid(in_modes(data.cohort, settings), settings, stored)


def predict_masks(
    model: FittedModel,
    pixels: np.ndarray,
    rows: np.ndarray,
    grid: ScoringGrid,
    masks: Path,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Predicts the masks of some images and writes them, and returns a row an image: its scores and areas.

    Args:
        model: It gives every pixel a class.
        pixels: All stored images.
        rows: Which of them.
        grid: The pixels that are predicted.
        masks: The folder of the masks, ``SAMPLE.png``.
        progress: Told how many images are done.

    Raises:
        FoveolaError: If a probability is not finite.
    """

    def answers() -> Iterator[Answer]:
        predicted = zip(rows.tolist(), model.segmentations(pixels, rows), strict=True)
        for done, (row, probabilities) in enumerate(predicted, start=1):
            check_finite(~np.isfinite(probabilities), masks)
            yield grid.answer(probabilities, row)
            if progress:
                progress("Predicting masks", done, len(rows))

    description = model.description
    identity = {key: getattr(description, key) for key in ("arm", "fold", "seed", "epoch")}
    return write_masks(answers(), identity, rows, grid, description.classes, masks)


def write_masks(
    answers: Iterable[Answer],
    identity: dict[str, Any],
    rows: np.ndarray,
    grid: ScoringGrid,
    classes: tuple[str, ...],
    masks: Path,
) -> pd.DataFrame:
    """Writes the masks of some images, and returns a row an image: where it is from, areas, and scores if there can be.

    Args:
        answers: The masks in the order of the rows.
        identity: Arm, fold, seed and epoch.
        rows: Which images.
        grid: The pixels of the masks; scores are against the masks of its first observer.
        classes: Names of the classes.
        masks: The folder of the masks.
    """
    cohort, table = grid.cohort, []
    for row, (mask, probabilities) in zip(rows.tolist(), answers, strict=True):
        sample, spacing = cohort.table["sample"].iloc[row], grid.spacing(row)
        reference = None if cohort.masks is None else grid.observed(row)
        if reference is not None:
            mask = np.where(reference == IGNORED, 0, mask).astype(np.uint8)  # there is no image, and nothing to call
        write_mask(mask_path(masks, sample), mask)
        area = {
            f"area[{name}]": float((mask == k).sum()) * spacing[0] * spacing[1] for k, name in enumerate(classes) if k
        }
        scores = {}
        if reference is not None:
            scores = mask_scores(mask, reference, classes, probabilities=probabilities, spacing=spacing)
        table.append({"sample": sample, **identity, "label": "", **area, **scores})
    return pd.DataFrame(table)


def mask_path(masks: Path, sample: str) -> Path:
    """Returns where the mask of a sample lies in a folder of masks."""
    path = path_of(sample)
    return masks / path.with_name(f"{path.name}.png")


def write_mask(path: Path, mask: Mask) -> None:
    """Writes class numbers as a PNG whose pixels are these numbers, and which shows classes in colours."""
    image = Image.frombytes("P", (mask.shape[1], mask.shape[0]), np.ascontiguousarray(mask).tobytes())
    image.putpalette(bytes(np.round(255 * CLASS_COLOURS).astype(np.uint8).ravel()))
    with atomic.replacing(path) as temporary:
        image.save(temporary, bits=8)  # with fewer colours Pillow would keep fewer bits


def read_mask(path: Path) -> Mask:
    """Returns a mask that `write_mask` wrote.

    Raises:
        FoveolaError: If it is missing or damaged.
    """
    try:
        with Image.open(path) as stored:
            return np.asarray(stored)
    except (OSError, SyntaxError) as error:  # as Pillow calls what is wrong inside of a PNG
        raise FoveolaError(
            "the mask of a finished fit",
            str(error),
            str(path),
            f"remove the file '{DONE}' of the fit, and it is made again",
        ) from error


def observer_of(cohort: Cohort, settings: ArmSettings) -> int:
    """Returns the place of the observer that the settings of the arm ``human`` name.

    Raises:
        FoveolaError: If the images have no masks, or none of that observer.
    """
    if cohort.masks is None:
        raise FoveolaError("images with masks", "images with labels", cohort.name, "leave out the arm human")
    assert isinstance(settings, HumanSettings)
    return settings.place(cohort.masks.observers, cohort.name)


def check_finite(wrong: np.ndarray, folder: Path) -> None:
    """Raises a ``FoveolaError`` where a fit predicts what is no number."""
    if wrong.any():
        raise FoveolaError("finite probabilities", "NaN: the training diverged", str(folder), "give a smaller --lr")


def check_sides(configuration: RunConfiguration, size: int, stride: int = STRIDE) -> None:
    """Looks for what networks see: a side of a patch, or of an image, that they can halve as often as they do.

    Args:
        configuration: Says whether there are patches.
        size: Side of the stored images.
        stride: Of the deepest features of the networks.

    Raises:
        FoveolaError: If the side is no multiple of the stride; if patches are larger than the images; or if a mask in
            front of the network, which is as large as the image, is to be trained on patches.
    """
    patch = configuration.segmentation.patch
    side, option = (size, "--image-size") if patch is None else (patch, "segmentation.patch")
    if side % stride:
        near = stride * max(1, round(side / stride))
        raise FoveolaError(f"a multiple of {stride} pixels", str(side), option, f"give {near}")
    if side > size:
        raise FoveolaError(
            f"patches within the images of {size} px", f"{side} px", option, "give fewer, or leave it out"
        )
    masked = [name for name in configuration.arms if ARMS[name].mask is not None]
    if patch is not None and masked:
        raise FoveolaError(
            f"whole images for the arm '{masked[0]}', whose map is as large as they are",
            f"patches of {patch} px",
            "segmentation.patch",
            "leave out the patches or the arm",
        )
