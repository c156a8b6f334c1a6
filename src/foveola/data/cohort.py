"""The cohort: one set of images of one kind of object, with what is known of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from foveola.data.images.masks import Masks
from foveola.foundation.errors import FoveolaError

COHORT_COLUMNS = ("sample", "label", "group", "split", "laterality")
SPLITS = ("train", "val", "test")
UNLABELLED = -1


@runtime_checkable
class Images(Protocol):
    """The images of a cohort as they were taken, in the order of its table; decoded when asked for, not before."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> np.ndarray:
        """Returns image ``index`` as ``height x width`` (grey) or ``height x width x 3`` (RGB).

        ``uint8`` in 0..255, or ``float32`` in 0..1 where the source is finer than eight bits.

        Raises:
            FoveolaError: If the image cannot be read.
        """

    def digest(self, index: int) -> str:
        """Returns a hexadecimal digest of the content of image ``index``."""

    def where(self, index: int) -> str:
        """Returns the path or the name by which a person finds image ``index``."""


@dataclass(frozen=True)
class Cohort:
    """A set of images that can share one attention map, before preprocessing.

    Attributes:
        name: What the set is called in tables and file names.
        classes: Class names; ``table.label`` counts into them, or the masks do. Empty for a set without labels.
        table: One row an image, with the columns ``sample`` (unique id), ``label`` (0 .. classes - 1; -1 where there
            is none), ``group`` (the unit of independence, such as the patient; empty string where unknown), ``split``
            (``train``, ``val``, ``test``; empty string where the source has none) and ``laterality`` (``L`` or ``R``;
            empty string where unknown).
        images: The undecoded images, in the order of the table.
        preprocessing: The source's own defaults for fields of ``Preprocessing``, such as a crop; what the user sets
            goes before them.
        truth: Where the class is decided, if the source knows: a function of the height and the width after
            preprocessing that returns a boolean mask ``height x width``.
        masks: The class of every pixel, in the order of the table; the first class is the background, and no image has
            a label of its own. ``None`` for a set to classify.
        spacing: Height and width of a pixel of the images as they were taken.
        unit: Of the spacing, such as ``mm``; ``px`` where it is not known.

    Raises:
        FoveolaError: If there are no images, or ids are used twice.
    """

    name: str
    classes: tuple[str, ...]
    table: pd.DataFrame
    images: Images
    preprocessing: dict[str, Any] = field(default_factory=dict)
    truth: Callable[[int, int], np.ndarray] | None = None
    masks: Masks | None = None
    spacing: tuple[float, float] = (1.0, 1.0)
    unit: str = "px"

    def __post_init__(self) -> None:
        if tuple(self.table.columns) != COHORT_COLUMNS or len(self.table) != len(self.images):
            raise ValueError(f"table must have the columns {COHORT_COLUMNS} and one row an image")
        if self.masks is not None and not (len(self.classes) > 1 and (self.table["label"] == UNLABELLED).all()):
            raise ValueError("masks have at least two classes, and their images no labels")
        if self.table.empty:
            raise FoveolaError("at least one image", "none", self.name, "check the path given to --data")
        twice = self.table["sample"][self.table["sample"].duplicated()]
        if len(twice):
            raise FoveolaError(
                "every sample once",
                f"'{twice.iloc[0]}' {1 + (twice == twice.iloc[0]).sum()} times",
                self.name,
                "remove or rename the duplicates",
            )

    def __len__(self) -> int:
        return len(self.table)

    def size_of(self, index: int) -> tuple[int, int]:
        """Returns width and height of an image as taken, which is decoded only if it does not tell them otherwise."""
        header = getattr(self.images, "header", None)
        if header is not None:
            width, height, _ = header(index)
        else:
            height, width = self.images.read(index).shape[:2]
        return width, height

    @property
    def task(self) -> Literal["classification", "segmentation"]:
        """What there is to learn: it follows from whether there are masks."""
        return "classification" if self.masks is None else "segmentation"

    @property
    def strata(self) -> tuple[tuple[str, ...], np.ndarray]:
        """The names of the strata whose shares a split keeps, and the number of each sample's.

        They are the classes of the samples; to segment, all samples are of one stratum, which has no name.
        """
        if self.masks is not None:
            return ("",), np.zeros(len(self), dtype=np.int64)
        return self.classes, self.table["label"].to_numpy()


def sample_table(
    samples: list[str],
    labels: list[int],
    *,
    groups: list[str] | None = None,
    splits: list[str] | None = None,
    laterality: list[str] | None = None,
) -> pd.DataFrame:
    """Builds the table of a cohort, with empty strings for what is not known.

    Example:
        >>> sample_table(["a.png", "b.png"], [0, 1], groups=["p1", "p2"]).to_dict("records")[1]
        {'sample': 'b.png', 'label': 1, 'group': 'p2', 'split': '', 'laterality': ''}
    """
    unknown = [""] * len(samples)
    columns = (samples, labels, groups or unknown, splits or unknown, laterality or unknown)
    return pd.DataFrame(dict(zip(COHORT_COLUMNS, columns, strict=True)))
