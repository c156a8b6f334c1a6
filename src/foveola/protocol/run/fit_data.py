"""What all fits of a comparison share: the images, what is known of them, and who is trained on which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foveola.data.cohort import Cohort
from foveola.models import ImageShape
from foveola.protocol.planning.plan import rows_of
from foveola.protocol.settings.configuration import RunConfiguration
from foveola.training import PixelRows


@dataclass(frozen=True)
class FitData:
    """What all fits of a comparison share.

    Attributes:
        cohort: The images and what is known of them.
        pixels: The stored images, ``N x C x H x W``.
        splits: The split table.
        masks: The stored masks, ``N x observers x H x W``; ``None`` where images have labels.
    """

    cohort: Cohort
    pixels: np.ndarray
    splits: pd.DataFrame
    masks: np.ndarray | None = None

    def images(self, rows: np.ndarray) -> PixelRows:
        """Returns some images with their labels, or with the masks of the first observer."""
        labels = self.cohort.table["label"].to_numpy()[rows]
        return PixelRows(self.pixels, rows, labels, None if self.masks is None else self.masks[:, 0])

    def rows(self, role: str, fold: int) -> np.ndarray:
        """Returns the positions of the images that play a role in a fold."""
        return rows_of(role, fold, self.splits, self.cohort)


def network_shape(configuration: RunConfiguration, data: FitData) -> ImageShape:
    """Returns what a network is to take and to tell apart."""
    channels, size = data.pixels.shape[1:3]
    return ImageShape(
        channels=channels,
        size=configuration.segmentation.patch or size,
        classes=len(data.cohort.classes),
        per_pixel=data.masks is not None,
    )
