"""Global spatial attention: one map for a whole image set, made by a CNN that classifies the set's pixels."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor

from foveola.attention.arm import ARMS, Arm, MaskSettings
from foveola.attention.input_mask import InputMask
from foveola.foundation.settings import Searched
from foveola.pixels import PixelCNN, PixelRepresentation, pixel_representation
from foveola.pixels.choice import RepresentationKind
from foveola.pixels.representation import Batches


class GlobalAttention(InputMask):
    """The map ``sigmoid(M(P))`` of a pixel CNN M on the pixel representation P of the training images.

    Source: Xu et al. 2020, arXiv:2007.15897, sections 2 and 3. The loss of eq. 1 is the cross entropy plus
    ``penalty_weight`` times the mean of the map (a sum over pixels would dwarf the cross entropy).

    The map multiplies *normalised* intensities, so that weight 0 shows the network mean grey, not black.

    Args:
        network: The pixel CNN.
        penalty_weight: The paper's lambda.

    Example:
        >>> images = torch.rand(7, 3, 12, 10)
        >>> attention = GlobalAttention.from_images(images, hidden=4)
        >>> attention(images).shape, attention.map().shape
        (torch.Size([7, 3, 12, 10]), torch.Size([12, 10]))
    """

    def __init__(self, network: PixelCNN, penalty_weight: float = 0.01) -> None:
        super().__init__()
        self.network = network
        self.penalty_weight = penalty_weight

    @classmethod
    def from_images(  # type: ignore[override]  # it names its options
        cls,
        images: Batches,
        *,
        representation: RepresentationKind | PixelRepresentation = "auto",
        dim: int = 64,
        memory_mib: float = 512.0,
        hidden: int = 128,
        kernel: int = 3,
        hidden_layers: int = 1,
        last_kernel: int = 1,
        dense: bool = False,
        penalty: float = 0.01,
        seed: int = 0,
    ) -> GlobalAttention:
        """Computes the pixel representation of the training images and puts an untrained pixel CNN on it.

        The map is learned afterwards, together with the network that the masked images go into.

        Args:
            images: The training images and no others, normalised as the image CNN sees them: a tensor
                ``N x C x H x W``, or batches that can be gone through more than once.
            representation: ``exact``, ``compressed``, ``auto`` (see `foveola.pixels.pixel_representation`), or one
                that was made before.
            dim: Dimensions of a compressed representation.
            memory_mib: What an exact representation may take before ``auto`` compresses.
            hidden: The paper's K; so are ``kernel``, ``hidden_layers``, ``last_kernel`` and ``dense`` (see `PixelCNN`).
            kernel: See `PixelCNN`.
            hidden_layers: See `PixelCNN`.
            last_kernel: See `PixelCNN`.
            dense: See `PixelCNN`.
            penalty: The paper's lambda.
            seed: Of the compression; the weights are drawn from PyTorch's global generator.
        """
        if not isinstance(representation, PixelRepresentation):
            representation = pixel_representation(images, representation, dim=dim, memory_mib=memory_mib, seed=seed)
        network = PixelCNN(
            representation,
            hidden=hidden,
            kernel=kernel,
            hidden_layers=hidden_layers,
            last_kernel=last_kernel,
            dense=dense,
        )
        return cls(network, penalty)

    fit = from_images
    """Another name of `from_images`."""

    def facts(self) -> dict[str, Any]:
        """Returns which pixel representation the map was learned from, and the energy that it keeps."""
        return self.network.facts

    def weights(self) -> Float[Tensor, "h w"]:
        """Returns the map, in 0..1."""
        return torch.sigmoid(self.network())

    def penalty(self, weights: Tensor) -> Float[Tensor, ""]:
        """Returns lambda times the mean of the map."""
        return self.penalty_weight * weights.mean()


class GlobalSettings(MaskSettings):
    """Settings of the arm ``global``; see `GlobalAttention.from_images`."""

    representation: RepresentationKind = "auto"
    pixel_memory: float = Field(512.0, gt=0)
    dim: int = Field(64, ge=1)
    hidden: Annotated[int, Searched(16, 256, log=True, paper=(32, 64, 128, 256))] = Field(128, ge=1)
    kernel: int = Field(3, ge=1)
    hidden_layers: int = Field(1, ge=1)
    last_kernel: int = Field(1, ge=1)
    dense: bool = False
    penalty: Annotated[float, Searched(1e-4, 1.0, log=True, paper=(0.1, 0.01, 0.001, 0.0001))] = Field(0.01, ge=0)

    @field_validator("kernel", "last_kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("an odd kernel, which keeps the image size")
        return value


def _build(images: Batches, settings: GlobalSettings) -> GlobalAttention:
    options = settings.model_dump(exclude={*MaskSettings.model_fields, "pixel_memory"})
    return GlobalAttention.from_images(images, memory_mib=settings.pixel_memory, **options)


ARMS.add(Arm("global", "global spatial attention: one map by a pixel CNN", GlobalSettings, "shared", _build))
