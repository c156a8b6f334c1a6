"""Explanation: every attention map of a fitted model for each image, as data, as picture and over the image."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from foveola.data.cohort import Cohort, Images
from foveola.data.stored.cache import in_modes, prepared_images
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.inference.ppcr_analysis import write_ppcr_analysis
from foveola.inference.prediction import check_maps, load_images, preprocessing_of
from foveola.maps.average import is_flat
from foveola.maps.resize import RULE
from foveola.maps.summary import SUMMARY_RULE, is_relative, summary
from foveola.models import FittedModel
from foveola.pictures.colour_scale import RELATIVE
from foveola.pictures.image_pictures import overlay_on_original, place_picture
from foveola.protocol.run.paths import path_of
from foveola.training import Progress

SCHEMA = 1
INDEX, DESCRIPTION = "maps.csv", "explain.json"
SUMMARY = "summary"

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FirstImages:
    """The first images of a cohort; the others are never read.

    Attributes:
        images: All of them.
        count: How many there are here.
    """

    images: Images
    count: int

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> np.ndarray:
        """Returns image ``index``."""
        return self.images.read(index)

    def digest(self, index: int) -> str:
        """Returns a digest of image ``index``."""
        return self.images.digest(index)

    def where(self, index: int) -> str:
        """Returns by what a person finds image ``index``."""
        return self.images.where(index)


def explain(
    model: Path,
    images: str,
    out: Path,
    *,
    limit: int | None = None,
    labelled: bool = True,
    progress: Progress | None = None,
) -> int:
    """Writes every map of a fitted model for each image, and returns how many images there are.

    For each image and each place: ``OUT/SAMPLE/PLACE.npy``, the map as the network used it, at its own resolution;
    ``PLACE.png``, a picture of that; ``PLACE-overlay.png``, the map on the image as it was taken. ``summary`` stands
    for all places together (see `foveola.maps.summary.summary`). ``OUT/maps.csv`` has one row an image and place, and
    ``OUT/explain.json``, written last, says what the maps are of and how they were resized. A model of the arm ``ppcr``
    gets the tables and pictures of `foveola.inference.ppcr_analysis.write_ppcr_analysis` too.

    Args:
        model: The folder of a fitted model.
        images: What may stand after ``--data``, or one image.
        out: The folder to write into.
        limit: Only the first so many images.
        labelled: Whether to read the labels that there are.
        progress: Told how many images are checked, decoded and explained.

    Raises:
        FoveolaError: If the model has no maps, the model or the images cannot be used, or a map is not finite.
    """
    if limit is not None and limit < 1:
        raise FoveolaError("at least one image", str(limit), "--limit", "give a larger number or leave it out")
    fitted = FittedModel.load(model)
    check_maps(fitted, model, "choose a model of an arm that has maps")
    settings = preprocessing_of(fitted.description)
    cohort = in_modes(load_images(images, fitted.description, labelled), settings)
    if limit is not None and limit < len(cohort):
        cohort = replace(cohort, table=cohort.table.iloc[:limit], images=FirstImages(cohort.images, limit))
    pixels = prepared_images(cohort, settings, progress=progress)
    (out / DESCRIPTION).unlink(missing_ok=True)  # until all is written again
    rows = _write_images(out, fitted, cohort, pixels, settings, progress)
    _warn_of_flat(rows, len(cohort))
    if fitted.description.arm == "ppcr":
        write_ppcr_analysis(fitted, cohort, pixels, out, progress)
    atomic.write_csv(out / INDEX, pd.DataFrame(rows))
    atomic.write_json(out / DESCRIPTION, _description(fitted, model, len(cohort)))
    return len(cohort)


def _write_images(
    out: Path,
    fitted: FittedModel,
    cohort: Cohort,
    pixels: np.ndarray,
    settings: Preprocessing,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """Writes the files of every image and returns the rows of the index."""
    rows: list[dict[str, Any]] = []
    is_mask = not is_relative(fitted.places)
    table = zip(cohort.table["sample"], cohort.table["laterality"], strict=True)
    for index, ((sample, side), maps) in enumerate(zip(table, fitted.maps(pixels), strict=True)):
        every = {**maps, SUMMARY: summary(maps, *pixels.shape[2:]).astype(np.float32)}
        image = cohort.images.read(index)
        folder = out / path_of(sample)
        mirrored = settings.flip and side == "R"
        for place, values in every.items():
            atomic.write_array(folder / f"{place}.npy", np.ascontiguousarray(values))
            place_picture(
                folder / f"{place}.png",
                values,
                title=f"{place}, mirrored" if mirrored else place,
                bounded=is_mask,
                label=RELATIVE if place == SUMMARY and not is_mask else "",
            )
            picture = overlay_on_original(image, values, settings, side)
            with atomic.replacing(folder / f"{place}-overlay.png") as temporary:
                Image.fromarray(picture).save(temporary)
        rows += [
            {"sample": sample, "place": place, **_facts(values), "mirrored": mirrored}
            for place, values in every.items()
        ]
        if progress:
            progress("Explaining images", index + 1, len(cohort))
    return rows


def _facts(values: np.ndarray) -> dict[str, Any]:
    """Returns what the index says of one map."""
    height, width = values.shape
    spread = {"min": float(values.min()), "mean": float(values.mean()), "max": float(values.max())}
    return {"height": height, "width": width, **spread, "flat": is_flat(values)}


def _warn_of_flat(rows: list[dict[str, Any]], images: int) -> None:
    for place, count in Counter(row["place"] for row in rows if row["flat"]).items():
        log.warning("the map at %s is flat for %d of %d images: it prefers no position", place, count, images)


def _description(fitted: FittedModel, model: Path, images: int) -> Mapping[str, Any]:
    """Returns what ``explain.json`` says."""
    description = fitted.description
    return {
        "schema_version": SCHEMA,
        "model": str(model),
        **{key: getattr(description, key) for key in ("arm", "fold", "seed", "epoch")},
        "images": images,
        "places": {place: list(size) for place, size in fitted.places.items()},
        "arrays": "PLACE.npy is the map as the network used it: of the cropped image, mirrored where maps.csv says so",
        "resize": RULE,
        "summary": SUMMARY_RULE,
        "crop": description.preprocessing.crop,
        "image_size": description.preprocessing.image_size,
    }
