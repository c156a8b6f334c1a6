"""Segmentation: every pixel of an image has a class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from foveola.data.images.masks import IGNORED
from foveola.models.fitted.windows import in_windows
from foveola.tasks.augmentation import AugmentationSettings, random_views
from foveola.tasks.losses import SegmentationLoss
from foveola.tasks.settings import SegmentationSettings
from foveola.tasks.task import Task


class Segmentation(Task):
    """Images have masks: the loss that is asked for, the accuracy of pixels, and the mean Dice of images.

    The Dice of an image is the mean over foreground classes of ``2 |P and M| / (|P| + |M|)``, 1 where both are empty.
    """

    def __init__(self, settings: SegmentationSettings, augmentation: AugmentationSettings, classes: int) -> None:
        self.settings, self.augmentation = settings, augmentation
        self.criterion = SegmentationLoss(settings.loss, classes)

    def views(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Returns random patches, or whole images, changed as augmentation says, and what their masks show there."""
        settings = self.settings
        views, masks = random_views(images, targets, self.augmentation, patch=settings.patch, count=settings.patches)
        assert masks is not None
        return views, masks

    def predict(self, network: nn.Module, images: Tensor) -> Tensor:
        """Returns the logits, ``B x classes x H x W``."""
        return in_windows(network, images, self.settings.windows)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the loss over all pixels inside of the images."""
        loss: Tensor = self.criterion(logits, targets.long())
        return loss

    def accuracy(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the share of pixels inside of the images whose most probable class is right."""
        inside = targets != IGNORED
        return ((logits.argmax(1) == targets) & inside).sum() / inside.sum().clamp(min=1)

    def note(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Returns the Dice of every image and foreground class; NaN for what is not finite."""
        predicted, inside = logits.argmax(1), targets != IGNORED
        classes = torch.arange(1, logits.shape[1], device=logits.device)[:, None, None, None]
        called, there = (predicted == classes) & inside, (targets == classes) & inside
        both = (called & there).sum((2, 3)).cpu().double()
        whole = (called.sum((2, 3)) + there.sum((2, 3))).cpu()
        dice = torch.where(whole > 0, 2 * both / whole.clamp(min=1), 1.0)
        finite = torch.isfinite(logits).flatten(1).all(dim=1).cpu()
        return (torch.where(finite, dice, math.nan).T,)

    def scores(self, *notes: Tensor) -> dict[str, float]:
        """Returns the mean Dice."""
        return {"dice": float(notes[0].mean())}
