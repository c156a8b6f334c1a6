"""Prediction with a fitted model: one row an image, and pictures of where it looks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from foveola.data import load_cohort
from foveola.data.cohort import UNLABELLED, Cohort
from foveola.data.sources.csv_table import header_of
from foveola.data.sources.files import is_image
from foveola.data.sources.folder import SPLIT_WORDS
from foveola.data.sources.pairs import holds_pairs
from foveola.data.sources.table import tables_in
from foveola.data.stored.cache import in_modes, prepared_images
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.maps.average import mean_image
from foveola.maps.summary import is_relative, summary
from foveola.models import FittedModel, ModelDescription
from foveola.pictures.map_pictures import map_picture, overlay
from foveola.protocol.run.mask_predictions import ScoringGrid, predict_masks
from foveola.protocol.run.paths import path_of
from foveola.training import Progress


def predict(
    model: Path,
    images: str,
    out: Path,
    *,
    maps: Path | None = None,
    masks: Path | None = None,
    labelled: bool = True,
    progress: Progress | None = None,
) -> int:
    """Writes a table of predictions and returns how many there are.

    A model that gives every pixel a class also writes its masks, in the size of the images as they were taken; the
    table then has the area of every class, and scores where the images have masks to compare with.

    Args:
        model: The folder of a fitted model.
        images: What may stand after ``--data``, or one image. A folder without the model's classes in it, or a CSV
            without a column ``label``, is one without labels.
        out: The table, with the columns of a run's ``predictions.csv``.
        maps: Where to write the cohort map (``map.npy``, ``map.png``: the mask, or the mean summary of these images)
            and a picture of each image with its own.
        masks: Where to write predicted masks; ``None`` for a folder beside the table.
        labelled: Whether to read the labels that there are.
        progress: Told how many images are checked, decoded and drawn.

    Raises:
        FoveolaError: If the model or the images cannot be used, or maps are asked of a model that has none.
    """
    fitted = FittedModel.load(model)
    if maps is not None:
        check_maps(fitted, model, "leave out --maps")
    cohort = load_images(images, fitted.description, labelled)
    pixels = prepared_images(cohort, preprocessing_of(fitted.description), progress=progress)
    if fitted.description.per_pixel:
        settings = preprocessing_of(fitted.description)
        grid = ScoringGrid(in_modes(cohort, settings), settings)
        beside = out.with_name(f"{out.stem}-masks")
        table = predict_masks(fitted, pixels, np.arange(len(cohort)), grid, masks or beside, progress)
    else:
        table = fitted.predict(cohort, pixels)
    atomic.write_csv(out, table)
    if maps is not None:
        _write_maps(maps, fitted, cohort, pixels, progress)
    return len(cohort)


def check_maps(fitted: FittedModel, model: Path, remedy: str) -> None:
    """Raises a ``FoveolaError`` if a model has no attention maps."""
    if not fitted.places:
        raise FoveolaError("a model with attention", f"one of the arm '{fitted.description.arm}'", str(model), remedy)


def preprocessing_of(model: ModelDescription) -> Preprocessing:
    """Returns what is done to any image before the model sees it, with as many channels as it takes."""
    return model.preprocessing.model_copy(update={"channels": model.channels})


def load_images(images: str, model: ModelDescription, labelled: bool) -> Cohort:
    """Loads images with their labels where they have some of the model's classes, and without otherwise.

    Args:
        images: What may stand after ``--data``, or one image.
        model: What the images are for.
        labelled: Whether to read the labels that there are.

    Raises:
        FoveolaError: If there are no images, or classes that the model does not know.
    """
    path, classes = Path(images).expanduser(), model.classes
    if model.per_pixel:
        return _with_masks(images, model, labelled)
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


def _with_masks(images: str, model: ModelDescription, labelled: bool) -> Cohort:
    """Loads images with their masks where a source or a path is given that has them, and without otherwise."""
    path = Path(images).expanduser()
    labelled = labelled and (not path.exists() or ((path.is_dir() or path.suffix == ".csv") and holds_pairs(path)))
    cohort = load_cohort(images, labelled=labelled)
    if cohort.masks is None:
        return replace(cohort, classes=(), table=cohort.table.assign(label=UNLABELLED))
    if cohort.classes != model.classes:
        raise FoveolaError(
            f"masks of the classes of the model, {', '.join(model.classes)}",
            ", ".join(cohort.classes),
            images,
            "pass --unlabelled",
        )
    return cohort


def _has_labels(path: Path, classes: tuple[str, ...]) -> bool:
    """Says whether a path without a table, as far as it is one, holds folders called as the classes are."""
    if path.is_dir():
        splits = [inside for inside in path.iterdir() if inside.name.lower() in SPLIT_WORDS]
        return any((parent / name).is_dir() for parent in (path, *splits) for name in classes)
    return not (path.is_file() and is_image(path))


def _write_maps(
    folder: Path, fitted: FittedModel, cohort: Cohort, pixels: np.ndarray, progress: Progress | None
) -> None:
    """Writes the overlay of each image's summary, and the mean summary of them all."""
    height, width = pixels.shape[2:]
    total = np.zeros((height, width))
    for index, maps in enumerate(fitted.maps(pixels)):
        own = summary(maps, height, width)
        total += own
        image = mean_image(pixels, np.array([index]))
        picture = path_of(cohort.table["sample"].iloc[index])
        with atomic.replacing(folder / "images" / picture.with_name(f"{picture.name}.png")) as temporary:
            Image.fromarray(overlay(image, own)).save(temporary)
        if progress:
            progress("Drawing maps", index + 1, len(cohort))
    mean = (total / len(cohort)).astype(np.float32)
    atomic.write_array(folder / "map.npy", mean)
    shown = mean_image(pixels, np.arange(len(pixels)))
    map_picture(
        folder / "map.png", mean, shown, title="over the mean of these images", relative=is_relative(fitted.places)
    )
