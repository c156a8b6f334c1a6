"""Prediction with a fitted model: one row an image, and pictures of where it looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from foveola import atomic
from foveola.data import load_cohort
from foveola.data.cache import prepared_images
from foveola.data.cohort import Cohort
from foveola.errors import FoveolaError
from foveola.maps.average import mean_image
from foveola.maps.draw import map_picture, overlay
from foveola.models import FittedModel
from foveola.training import Progress


def predict(
    model: Path,
    images: str,
    out: Path,
    *,
    maps: Path | None = None,
    labelled: bool = True,
    progress: Progress | None = None,
) -> int:
    """Writes a table of predictions and returns how many there are.

    Args:
        model: The folder of a fitted model.
        images: What may stand after ``--data``; a folder without the model's classes in it is one without labels.
        out: The table, with the columns of a run's ``predictions.csv``.
        maps: Where to write the map (``map.npy``, ``map.png``) and a picture of it over each image.
        labelled: Whether to read the labels that there are.
        progress: Told how many images are checked, decoded and drawn.

    Raises:
        FoveolaError: If the model or the images cannot be used, or maps are asked of a model that has none.
    """
    fitted = FittedModel.load(model)
    if maps is not None and fitted.map is None:
        raise FoveolaError("a model with attention", f"one of the arm '{fitted.description.arm}'", str(model),
                           "leave out --maps")  # fmt: skip
    cohort = _load(images, fitted.description.classes, labelled)
    preprocessing = fitted.description.preprocessing.model_copy(update={"channels": fitted.description.channels})
    pixels = prepared_images(cohort, preprocessing, progress=progress)
    atomic.write_csv(out, fitted.predict(cohort, pixels))
    if maps is not None and fitted.map is not None:
        _write_maps(maps, fitted.map, cohort, pixels, progress)
    return len(cohort)


def _load(images: str, classes: tuple[str, ...], labelled: bool) -> Cohort:
    """Loads images with their labels where they have some of the model's classes, and without otherwise."""
    folder = Path(images).expanduser()
    if folder.is_dir() and not any((folder / name).is_dir() for name in classes) and not any(folder.glob("*.csv")):
        labelled = False
    cohort = load_cohort(images, labelled=labelled)
    unknown = sorted(set(cohort.classes) - set(classes))
    if unknown:
        raise FoveolaError(
            f"the classes of the model, {', '.join(classes)}", f"'{unknown[0]}'", images, "pass --unlabelled"
        )
    return cohort


def _write_maps(
    folder: Path, attention_map: np.ndarray, cohort: Cohort, pixels: np.ndarray, progress: Progress | None
) -> None:
    atomic.write_array(folder / "map.npy", attention_map)
    mean = mean_image(pixels, np.arange(len(pixels)))
    map_picture(folder / "map.png", attention_map, mean, title="over the mean of these images")
    for index, sample in enumerate(cohort.table["sample"]):
        image = mean_image(pixels, np.array([index]))
        with atomic.replacing(folder / "images" / f"{sample}.png") as temporary:
            Image.fromarray(overlay(image, attention_map)).save(temporary)
        if progress:
            progress("Drawing maps", index + 1, len(cohort))
