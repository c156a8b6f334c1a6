"""Masks of free logits under a sigmoid: one a pixel, or one a cell of a coarse grid."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention.arm import ARMS, Arm, MaskSettings
from foveola.attention.input_mask import InputMask
from foveola.foundation.settings import Searched
from foveola.pixels.representation import Batches


class SigmoidMask(InputMask):
    """Free logits on a grid, enlarged to the image bilinearly where the grid is coarser, under a sigmoid.

    These are the masks that a sceptic of a pixel CNN asks for: the same map without the pixel representation
    (``grid`` of the image's size), or with smoothness alone (a coarse one). All weights start at 0.5.

    Args:
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        grid: Rows and columns of the grid of logits; the image's own size where it is ``None``.
        penalty_weight: The coefficient of the mean weight in the loss.

    Example:
        >>> mask = SigmoidMask(12, 10, grid=(4, 3))
        >>> mask.weights().shape, sum(p.numel() for p in mask.parameters()), mask.map().max().item()
        (torch.Size([12, 10]), 12, 0.5)
    """

    def __init__(
        self, height: int, width: int, grid: tuple[int, int] | None = None, penalty_weight: float = 0.01
    ) -> None:
        super().__init__()
        self.size = (height, width)
        self.logits = nn.Parameter(torch.zeros(grid or self.size))
        self.penalty_weight = penalty_weight

    def weights(self) -> Float[Tensor, "h w"]:
        """Returns the map, in 0..1."""
        logits: Tensor = self.logits
        if logits.shape != self.size:
            logits = functional.interpolate(logits[None, None], self.size, mode="bilinear")[0, 0]
        return torch.sigmoid(logits)

    def penalty(self, weights: Tensor) -> Float[Tensor, ""]:
        """Returns the coefficient times the mean weight."""
        return self.penalty_weight * weights.mean()


class FreeMaskSettings(MaskSettings):
    """Settings of the arm ``free-mask``."""

    penalty: Annotated[float, Searched(1e-4, 1.0, log=True)] = Field(0.01, ge=0)
    lr: Annotated[float | None, Searched(1e-3, 0.5, log=True)] = Field(0.05, gt=0)
    weight_decay: float | None = Field(0.0, ge=0)


class CoarseMaskSettings(FreeMaskSettings):
    """Settings of the arm ``coarse-mask``; ``grid`` is the number of rows and of columns."""

    grid: Annotated[int, Searched(4, 16, log=True)] = Field(8, ge=1)


def _build(images: Batches, settings: FreeMaskSettings) -> InputMask:
    grid = (settings.grid, settings.grid) if isinstance(settings, CoarseMaskSettings) else None
    return SigmoidMask.from_images(images, grid=grid, penalty_weight=settings.penalty)


ARMS.add(Arm("free-mask", "a free sigmoid weight a pixel", FreeMaskSettings, "shared", _build))
ARMS.add(Arm("coarse-mask", "a grid of sigmoid weights, enlarged", CoarseMaskSettings, "shared", _build))
