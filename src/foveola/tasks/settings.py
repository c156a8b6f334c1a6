"""Settings of tasks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from foveola.foundation.settings import Settings
from foveola.models.fitted.test_time_views import Views
from foveola.models.fitted.windows import Windows
from foveola.tasks.losses import Loss


class SegmentationSettings(Settings):
    """How networks learn masks, and how they are scored; of no use where images have labels.

    Attributes:
        loss: See `foveola.tasks.losses.SegmentationLoss`.
        patch: Side of the square patches that are trained on, and of the windows in which images are predicted, in
            stored pixels; ``None`` for whole images.
        patches: Random patches of each image in every epoch.
        overlap: Share of a window that the next one covers too; they are blended with Gaussian weights.
        views: How many views of an image are predicted and averaged: 1, the image as it is; 4, with its mirror images;
            8, with quarter turns too. For images without an upright, and not for masks that stand in one place.
        grid: Where predictions are scored: on the images as they were taken (``original``), or on what the network
            sees (``stored``).
    """

    loss: Loss = "dice-ce"
    patch: int | None = Field(None, ge=32)
    patches: int = Field(1, ge=1)
    overlap: float = Field(0.25, ge=0, lt=1)
    views: Views = 1
    grid: Literal["original", "stored"] = "original"

    @property
    def windows(self) -> Windows | None:
        """The windows in which images are predicted; ``None`` for whole images."""
        return None if self.patch is None else Windows(side=self.patch, overlap=self.overlap)
