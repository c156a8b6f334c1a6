"""What a fitted model with pyramid pixel context does: which levels it listens to, and its gates by class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from foveola.attention.inside.ppcr import PyramidPixelContext
from foveola.attention.recording import named_maps, recording
from foveola.data.cohort import Cohort
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.models import FittedModel
from foveola.pictures.ppcr_pictures import QUANTILES, gates_picture, levels_picture
from foveola.training import Progress

UNLABELLED = "unlabelled"


def write_ppcr_analysis(
    fitted: FittedModel, cohort: Cohort, pixels: np.ndarray, folder: Path, progress: Progress | None = None
) -> None:
    """Writes tables and pictures of the levels and the gates of a model.

    - ``ppcr-levels.csv`` and ``.png``: for every place and level (its number of groups) the ``weight`` of its contexts
      (see `PyramidPixelContext.level_weights`), its ``share`` of the weight at that place (0 where there is none yet),
      and the ``even_share`` that it would have if all contexts weighed the same.
    - ``ppcr-gates.csv``: one row an image, and a column a place with the mean of its gates there.
    - ``ppcr-gates-by-class.csv`` and ``.png``: for every place and class the number of ``images``, the quantiles of
      those means over images, and ``within_sd``, the standard deviation between the positions of one image, averaged.

    Args:
        fitted: A model with such gates.
        cohort: What is known of the images; those without a label make a class ``unlabelled``.
        pixels: Its stored images.
        folder: Where to write.
        progress: Told how many images were looked at.

    Raises:
        FoveolaError: If the model has no such gates.
    """
    modules = ppcr_modules(fitted)
    if not modules:
        raise FoveolaError(
            "a model with pyramid pixel context",
            f"one of the arm '{fitted.description.arm}'",
            "the model to analyse",
            "fit one with --arm ppcr",
        )
    levels = level_table(modules)
    means, sds = np.empty((2, len(cohort), len(modules)))
    for index, maps in enumerate(fitted.maps(pixels)):
        gates = [maps[place] for place in modules]
        means[index], sds[index] = [gate.mean() for gate in gates], [gate.std() for gate in gates]
        if progress:
            progress("Measuring gates", index + 1, len(cohort))
    names = np.array([*cohort.classes, UNLABELLED])[cohort.table["label"].to_numpy()]
    classes = dict.fromkeys([*fitted.description.classes, *cohort.classes, UNLABELLED])
    by_class = gate_table(list(modules), means, sds, names, list(classes))
    labels = np.where(names == UNLABELLED, "", names)
    samples = {"sample": cohort.table["sample"].to_numpy(), "label": labels}
    columns = {place: means[:, index] for index, place in enumerate(modules)}
    for name, table in (("levels", levels), ("gates", pd.DataFrame(samples | columns)), ("gates-by-class", by_class)):
        atomic.write_csv(folder / f"ppcr-{name}.csv", table)
    levels_picture(folder / "ppcr-levels.png", levels, title="Levels of the pyramid")
    gates_picture(folder / "ppcr-gates-by-class.png", by_class, title="Gates by class")


@torch.inference_mode()
def ppcr_modules(fitted: FittedModel) -> dict[str, PyramidPixelContext]:
    """Returns the pyramid pixel contexts of a model by their place, in the order of use."""
    shape, network = fitted.description.shape, fitted.network.network
    device = next(network.parameters()).device
    with recording() as emitted:
        network(torch.zeros(1, shape.channels, shape.size, shape.size, device=device))
    pairs = zip(named_maps(network, emitted), emitted, strict=True)
    return {place: module for place, (module, _) in pairs if isinstance(module, PyramidPixelContext)}


def level_table(modules: dict[str, PyramidPixelContext]) -> pd.DataFrame:
    """Returns one row a place and level: place, level, weight, share and ``even_share``."""
    rows = []
    for place, module in modules.items():
        weights = module.level_weights().double().cpu().numpy()
        total, contexts = weights.sum(), sum(module.levels)
        for level, weight in zip(module.levels, weights, strict=True):
            rows.append((place, level, weight, weight / total if total else 0.0, level / contexts))
    return pd.DataFrame(rows, columns=["place", "level", "weight", "share", "even_share"])


def gate_table(
    places: list[str], means: np.ndarray, sds: np.ndarray, names: np.ndarray, classes: list[str]
) -> pd.DataFrame:
    """Returns one row a place and class: place, class, images, the quantiles, and ``within_sd``.

    Args:
        places: Of the gates.
        means: Mean gate, ``images x places``.
        sds: Standard deviation between positions, ``images x places``.
        names: The class of each image.
        classes: In the order of the rows; those without images are left out.
    """
    rows = []
    for index, place in enumerate(places):
        for name in classes:
            if (chosen := names == name).any():
                quantiles = np.quantile(means[chosen, index], list(QUANTILES.values()))
                rows.append((place, name, int(chosen.sum()), *quantiles, sds[chosen, index].mean()))
    return pd.DataFrame(rows, columns=["place", "class", "images", *QUANTILES, "within_sd"])
