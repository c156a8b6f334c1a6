"""A task: the part of training that depends on what is predicted of an image."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Task(ABC):
    """What is learned of an image: its targets, loss and scores while training."""

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
