"""The L1 mask: one free weight a pixel, pulled towards zero."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from foveola.attention.arm import ARMS, Arm, MaskSettings
from foveola.attention.input_mask import InputMask
from foveola.foundation.settings import Searched
from foveola.pixels.representation import Batches


class L1Mask(InputMask):
    """One weight a pixel, starting at 1, with a penalty on the mean of its absolute values.

    Source: the baseline "+ L1" of Xu et al. 2020, arXiv:2007.15897, section 4. The weights are not bounded.

    Args:
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        penalty_weight: The coefficient; the paper tries 1e5 down to 1.

    Example:
        >>> mask = L1Mask(12, 10, penalty_weight=2.0)
        >>> mask.penalty(mask.weights()).item()
        2.0
    """

    bounded = False

    def __init__(self, height: int, width: int, penalty_weight: float = 1.0) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.ones(height, width))
        self.penalty_weight = penalty_weight

    def weights(self) -> Float[Tensor, "h w"]:
        """Returns the weights, not bounded."""
        return self.values

    def penalty(self, weights: Tensor) -> Float[Tensor, ""]:
        """Returns the coefficient times the mean absolute weight."""
        return self.penalty_weight * weights.abs().mean()


class L1Settings(MaskSettings):
    """Settings of the arm ``l1``: trained to the end at the backbone's learning rate, as the paper did."""

    penalty: Annotated[float, Searched(1.0, 1e5, log=True, paper=(1e5, 1e4, 1e3, 100.0, 10.0, 1.0))] = Field(1.0, ge=0)
    freezes: bool = False


class FairL1Settings(MaskSettings):
    """Settings of the arm ``l1-fair``: a learning rate at which the weights can reach zero, no second decay."""

    penalty: Annotated[float, Searched(1e-3, 10.0, log=True)] = Field(0.1, ge=0)
    lr: Annotated[float | None, Searched(1e-3, 0.1, log=True)] = Field(0.02, gt=0)
    weight_decay: float | None = Field(0.0, ge=0)


def _build(images: Batches, settings: L1Settings | FairL1Settings) -> InputMask:
    return L1Mask.from_images(images, penalty_weight=settings.penalty)


ARMS.add(Arm("l1", "one weight a pixel with an L1 penalty, as the paper trained it", L1Settings, "shared", _build))
ARMS.add(Arm("l1-fair", "the same with a learning rate that lets it move", FairL1Settings, "shared", _build))
