"""Prediction with a fitted model: one row an image, and pictures of where it looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from foveola import atomic
from foveola.data import load_cohort
from foveola.data.cache import prepared_images
from foveola.data.cohort import Cohort
from foveola.data.csv_table import header_of
from foveola.data.files import is_image
from foveola.data.folder import SPLIT_WORDS
from foveola.data.table import tables_in
from foveola.errors import FoveolaError
from foveola.maps.average import mean_image
from foveola.maps.draw import map_picture, overlay
from foveola.models import FittedModel, ModelDescription
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
        images: What may stand after ``--data``, or one image. A folder without the model's classes in it, or a CSV
            without a column ``label``, is one without labels.
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
    cohort = _load(images, fitted.description, labelled)
    preprocessing = fitted.description.preprocessing.model_copy(update={"channels": fitted.description.channels})
    pixels = prepared_images(cohort, preprocessing, progress=progress)
    atomic.write_csv(out, fitted.predict(cohort, pixels))
    if maps is not None and fitted.map is not None:
        _write_maps(maps, fitted.map, cohort, pixels, progress)
    return len(cohort)


def _load(images: str, model: ModelDescription, labelled: bool) -> Cohort:
    """Loads images with their labels where they have some of the model's classes, and without otherwise."""
    path, classes = Path(images).expanduser(), model.classes
    tables = [path] if path.suffix.lower() == ".csv" and path.is_file() else tables_in(path) if path.is_dir() else []
    if tables and any((model.label or "label") in header_of(table) for table in tables):
        cohort = load_cohort(images, label=model.label, bins=model.bins, labelled=labelled)
    else:
        cohort = load_cohort(images, labelled=labelled and not tables and _has_labels(path, classes))
    unknown = sorted(set(cohort.classes) - set(classes))
    if unknown:
        raise FoveolaError(
            f"the classes of the model, {', '.join(classes)}", f"'{unknown[0]}'", images, "pass --unlabelled"
        )
    return cohort


def _has_labels(path: Path, classes: tuple[str, ...]) -> bool:
    """Says whether a path without a table, as far as it is one, holds folders called as the classes are."""
    if path.is_dir():
        splits = [inside for inside in path.iterdir() if inside.name.lower() in SPLIT_WORDS]
        return any((parent / name).is_dir() for parent in (path, *splits) for name in classes)
    return not (path.is_file() and is_image(path))


def _picture_of(sample: str) -> Path:
    """Returns a path for the picture of a sample that stays inside the folder of pictures, wherever the image is."""
    parts = Path(sample).with_name(f"{Path(sample).name}.png").parts
    return Path(*("up" if part == ".." else part.strip("/\\:") for part in parts))


def _write_maps(
    folder: Path, attention_map: np.ndarray, cohort: Cohort, pixels: np.ndarray, progress: Progress | None
) -> None:
    atomic.write_array(folder / "map.npy", attention_map)
    mean = mean_image(pixels, np.arange(len(pixels)))
    map_picture(folder / "map.png", attention_map, mean, title="over the mean of these images")
    for index, sample in enumerate(cohort.table["sample"]):
        image = mean_image(pixels, np.array([index]))
        with atomic.replacing(folder / "images" / _picture_of(sample)) as temporary:
            Image.fromarray(overlay(image, attention_map)).save(temporary)
        if progress:
            progress("Drawing maps", index + 1, len(cohort))
