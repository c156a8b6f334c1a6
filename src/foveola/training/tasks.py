"""The two tasks: what a batch is, what its loss is, and what is recorded of images that are looked at."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.data.masks import IGNORED
from foveola.models.windows import in_windows
from foveola.statistics.metrics import macro_auc
from foveola.training.augmentation import AugmentationSettings, random_views
from foveola.training.losses import SegmentationLoss
from foveola.training.settings import SegmentationSettings, TrainingSettings


class Task(ABC):
    """What training depends on beside the network: targets are labels or masks."""

    @abstractmethod
    def views(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what is trained on of a batch of stored images."""

    @abstractmethod
    def predict(self, network: nn.Module, images: Tensor) -> Tensor:
        """Returns the logits of whole images as the network sees them."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the mean loss of a batch."""

    @abstractmethod
    def accuracy(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the share of what is predicted right."""

    @abstractmethod
    def note(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Returns what is kept of a batch that is looked at, an image a row, on the CPU."""

    @abstractmethod
    def scores(self, *notes: Tensor) -> dict[str, float]:
        """Returns the scores of all images that were looked at, from what was kept; NaN where not defined."""


class Classification(Task):
    """Images have labels: cross entropy, accuracy and macro AUC."""

    def __init__(self, augmentation: AugmentationSettings | None = None) -> None:
        self.augmentation = augmentation or AugmentationSettings()

    def views(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the images, changed where augmentation says so, and their labels."""
        if self.augmentation == AugmentationSettings():
            return images, targets
        return random_views(images, None, self.augmentation)[0], targets

    def predict(self, network: nn.Module, images: Tensor) -> Tensor:
        """Returns the logits, ``B x classes``."""
        logits: Tensor = network(images)
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the mean cross entropy."""
        return functional.cross_entropy(logits, targets)

    def accuracy(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Returns the share of images whose most probable class is right."""
        return (logits.argmax(1) == targets).float().mean()

    def note(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Returns the logits and the labels."""
        return logits.detach().float().cpu(), targets.cpu()

    def scores(self, *notes: Tensor) -> dict[str, float]:
        """Returns the macro AUC; NaN where a class is not among the images."""
        logits, labels = notes
        probabilities = logits.softmax(1).double().numpy()
        every = len(set(labels.tolist())) == probabilities.shape[1] and bool(torch.isfinite(logits).all())
        return {"macro_auc": macro_auc(labels.numpy(), probabilities) if every else math.nan}


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


def task_of(per_pixel: bool, training: TrainingSettings, segmentation: SegmentationSettings, classes: int) -> Task:
    """Returns the task of a network.

    Args:
        per_pixel: Whether it predicts masks.
        training: How it is trained; says how images are augmented.
        segmentation: How it learns masks.
        classes: Number of classes.
    """
    augmentation = training.augmentation_of(per_pixel)
    return Segmentation(segmentation, augmentation, classes) if per_pixel else Classification(augmentation)
