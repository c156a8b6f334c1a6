"""Masks at the input: one weight per position, shared by every image of a cohort."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float, Real
from torch import Tensor

from foveola.attention.algebra.operators import Operator, Pointwise, Shared
from foveola.attention.mechanism import Mechanism
from foveola.foundation.errors import FoveolaError
from foveola.pixels.representation import Batches, image_size


class InputMask(Mechanism):
    """A learned map ``H x W`` that multiplies every image, broadcast over its channels.

    In the language of operators on positions it is the shared diagonal: ``y_i = a_i x_i`` with the same a for every
    image. A mask is learned together with the network behind it and then made `frozen`.

    Attributes:
        bounded: Whether its weights stay within 0 and 1.
    """

    bounded: bool = True

    @classmethod
    def from_images(cls, images: Batches, **options: Any) -> InputMask:
        """Makes the mask for the training images: of their size, unless a subclass also learns from them.

        Args:
            images: The training images and no others: a tensor ``N x C x H x W``, or batches that can be gone through
                more than once.
            **options: As the class takes them behind height and width.

        Raises:
            FoveolaError: For images that cannot be used.
        """
        return cls(*image_size(images), **options)

    @abstractmethod
    def weights(self) -> Float[Tensor, "h w"] | Float[Tensor, "b 1 h w"]:
        """Returns what multiplies the images in this step, differentiable; one map, or one sample of it an image."""

    @abstractmethod
    def penalty(self, weights: Tensor) -> Float[Tensor, ""]:
        """Returns what is added to the loss for these weights, the coefficient included."""

    @torch.no_grad()
    def map(self) -> Float[Tensor, "h w"]:
        """Returns the map as it is now, without gradients; random masks return their noise-free map."""
        return self.weights().detach().clone()

    def operator(self, features: Real[Tensor, "b c h w"], *context: Any) -> Operator:
        """Returns the weights of this step as a diagonal operator.

        Raises:
            FoveolaError: If the images are not of the size of the map.
        """
        weights = self.weights()
        if features.shape[-2:] != weights.shape[-2:]:
            raise FoveolaError(
                "images of the size of the map, " + " x ".join(map(str, weights.shape[-2:])),
                " x ".join(map(str, features.shape[-2:])),
                "the images",
                "resize them as the training images were",
            )
        return Shared(weights) if weights.ndim == 2 else Pointwise(weights)

    def facts(self) -> dict[str, Any]:
        """Returns what is worth writing down of how the map came about, as JSON values."""
        return {}

    def frozen(self) -> FixedMask:
        """Returns the mask that multiplies by the map of this moment from now on, and carries nothing else."""
        return FixedMask(self.map())


class FixedMask(InputMask):
    """A map that is learned no more: its cost is one multiplication, its state the map alone.

    Example:
        >>> mask = FixedMask(torch.full((12, 10), 0.5))
        >>> mask(torch.ones(2, 3, 12, 10)).mean().item(), list(mask.state_dict())
        (0.5, ['values'])
    """

    values: Tensor

    def __init__(self, values: Float[Tensor, "h w"]) -> None:
        super().__init__()
        self.register_buffer("values", values)

    def weights(self) -> Float[Tensor, "h w"]:
        """Returns the map."""
        return self.values

    def penalty(self, weights: Tensor) -> Float[Tensor, ""]:
        """Returns 0: nothing is left to learn."""
        return weights.new_zeros(())
