"""Classification: every image has a label."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.statistics.metrics.metric_sets import macro_auc
from foveola.tasks.augmentation import AugmentationSettings, random_views
from foveola.tasks.task import Task


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
