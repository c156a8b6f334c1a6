"""The maps that a fit leaves behind: means over its test images, and how well each image's own finds the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foveola.data.cohort import Cohort
from foveola.foundation import atomic
from foveola.maps.score import truth_auc
from foveola.maps.summary import is_relative, summary
from foveola.models import FittedModel

MAP, BEFORE, PLACES, TRUTH_SCORES = "map.npy", "map-before.npy", "maps", "map-truth.csv"


@dataclass(frozen=True)
class CohortMaps:
    """What the maps of some images have in common.

    Attributes:
        summary: Mean of their summaries, ``H x W``, ``float32``; the mask itself where it is one.
        places: Mean map at every place, at its own resolution, ``float32``.
        scores: How well the summary of each image finds the truth region (ROC AUC), in the order of the images; empty
            where no truth was given.
    """

    summary: np.ndarray
    places: dict[str, np.ndarray]
    scores: list[float]


def cohort_maps(
    model: FittedModel, pixels: np.ndarray, rows: np.ndarray, truth: np.ndarray | None = None
) -> CohortMaps | None:
    """Returns the means of the maps of some stored images, or ``None`` for a model without maps.

    Args:
        model: In evaluation mode.
        pixels: All stored images.
        rows: Which of them; at least one.
        truth: ``H x W``, boolean: the region to score each image's own summary against.
    """
    places = model.places
    if not places:
        return None
    height, width = pixels.shape[2:]
    total = np.zeros((height, width))
    sums = {place: np.zeros(size) for place, size in places.items()}
    scores = []
    for maps in model.maps(pixels, rows):
        own = summary(maps, height, width)
        total += own
        for place, values in maps.items():
            sums[place] += values
        if truth is not None:
            scores.append(truth_auc(own, truth))
    means = {place: (values / len(rows)).astype(np.float32) for place, values in sums.items()}
    return CohortMaps((total / len(rows)).astype(np.float32), means, scores)


def write_map_before(folder: Path, model: FittedModel, pixels: np.ndarray, rows: np.ndarray) -> None:
    """Writes ``map-before.npy``, the cohort map of an untrained network with maps, unless it is there already."""
    if not (folder / BEFORE).is_file() and (maps := cohort_maps(model, pixels, rows)) is not None:
        atomic.write_array(folder / BEFORE, maps.summary)


def write_maps(folder: Path, model: FittedModel, cohort: Cohort, pixels: np.ndarray, rows: np.ndarray) -> None:
    """Writes ``map.npy``, the cohort map of a fit, and ``maps/PLACE.npy``, the mean at every place, if it has maps.

    Where the maps of images differ and the source knows its truth, ``map-truth.csv`` says for each image how well its
    own map finds the region.
    """
    truth = cohort.truth(*pixels.shape[2:]) if cohort.truth and is_relative(model.places) else None
    if truth is not None and (truth.all() or not truth.any()):
        truth = None  # no score is defined
    if (maps := cohort_maps(model, pixels, rows, truth)) is None:
        return
    atomic.write_array(folder / MAP, maps.summary)
    for place, values in maps.places.items():
        atomic.write_array(folder / PLACES / f"{place}.npy", values)
    if truth is not None:
        table = pd.DataFrame({"sample": cohort.table["sample"].to_numpy()[rows], "auc": maps.scores})
        atomic.write_csv(folder / TRUTH_SCORES, table)
