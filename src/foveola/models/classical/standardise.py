"""Features with mean 0 and standard deviation 1 over the training images, and their inner products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

COLUMNS_AT_ONCE = 1024
"""How many features are held in ``float64`` at a time."""


class Standardise(nn.Module):
    """Subtracts a mean from every feature and divides by a scale; as made it changes nothing.

    Args:
        features: How many.

    Example:
        >>> Standardise(4)(torch.ones(2, 4)).shape
        torch.Size([2, 4])
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def forward(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Returns standardised features."""
        return (features - self.mean) / self.scale


@dataclass(frozen=True)
class Standardisation:
    """The mean and the scale of every feature.

    Attributes:
        mean: ``d``.
        scale: ``d``; the standard deviation over all images (divided by n), 1 for a feature that is constant, as
            scikit-learn's ``StandardScaler`` has it.

    Example:
        >>> values = np.array([[1, 5], [3, 5]], np.float32)
        >>> standardisation = Standardisation.of(values)
        >>> standardisation.apply(values).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
        >>> standardisation.gram(values).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Standardisation:
        """Measures features, ``n x d``."""
        mean, scale = np.zeros(values.shape[1]), np.ones(values.shape[1])
        for columns in _blocks(values.shape[1]):
            block = values[:, columns].astype(np.float64)
            mean[columns] = block.mean(axis=0)
            scale[columns] = np.where(np.ptp(block, axis=0) > 0, block.std(axis=0), 1)
        return cls(mean, scale)

    def apply(self, values: np.ndarray, columns: slice = slice(None)) -> np.ndarray:
        """Returns features ``n x d``, or some columns of them, standardised in ``float64``."""
        standardised: np.ndarray = (values[:, columns] - self.mean[columns]) / self.scale[columns]
        return standardised

    def gram(self, values: np.ndarray) -> np.ndarray:
        """Returns the inner products ``n x n`` of all pairs of images, a block of features after the other."""
        products = np.zeros((len(values), len(values)))
        for columns in _blocks(values.shape[1]):
            block = self.apply(values, columns)
            products += block @ block.T
        return products

    def combined(self, weights: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Returns sums of standardised images: ``weights`` (``k x n``) times the images, ``k x d``."""
        return np.concatenate([weights @ self.apply(values, part) for part in _blocks(values.shape[1])], axis=1)

    @torch.no_grad()
    def fill(self, module: nn.Module) -> None:
        """Gives a `Standardise` this mean and scale."""
        assert isinstance(module, Standardise)
        module.mean.copy_(torch.from_numpy(self.mean))
        module.scale.copy_(torch.from_numpy(self.scale))


def _blocks(features: int) -> Iterator[slice]:
    return (slice(start, start + COLUMNS_AT_ONCE) for start in range(0, features, COLUMNS_AT_ONCE))
