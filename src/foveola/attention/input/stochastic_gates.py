"""Stochastic gates: a mask of relaxed Bernoulli variables with a penalty on how many are open."""

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


class StochasticGates(InputMask):
    """One gate a pixel, ``clamp(mu + 0.5 + sigma * noise, 0, 1)`` with Gaussian noise while training.

    The penalty is the coefficient times the mean probability that a gate is open, ``Phi((mu + 0.5) / sigma)``. One
    draw serves a whole step: the gates are shared by the images of a batch, as the map is.

    Source: Yamada et al. 2020, arXiv:1810.04247, section 3, with the mean over gates in place of the sum. The gates
    start half open (mu = 0).

    Args:
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        penalty_weight: The coefficient.
        sigma: Standard deviation of the noise.

    Example:
        >>> gates = StochasticGates(12, 10).eval()
        >>> gates.map().unique().tolist()
        [0.5]
    """

    def __init__(self, height: int, width: int, penalty_weight: float = 0.1, sigma: float = 0.5) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.zeros(height, width))
        self.penalty_weight = penalty_weight
        self.sigma = sigma

    def weights(self) -> Float[Tensor, "h w"]:
        """Returns the gates, in 0..1: with noise in training mode, without it in evaluation mode."""
        centre = self.mu + 0.5
        if self.training:
            centre = centre + self.sigma * torch.randn_like(centre)
        return centre.clamp(0, 1)

    @torch.no_grad()
    def map(self) -> Float[Tensor, "h w"]:
        """Returns the gates without noise."""
        return (self.mu + 0.5).clamp(0, 1).detach().clone()

    def penalty(self, weights: Tensor) -> Float[Tensor, ""]:
        """Returns the coefficient times the mean probability of an open gate, whatever the gates drawn."""
        open_probability: Tensor = torch.special.ndtr((self.mu + 0.5) / self.sigma)
        return self.penalty_weight * open_probability.mean()


class StochasticGatesSettings(MaskSettings):
    """Settings of the arm ``stochastic-gates``."""

    penalty: Annotated[float, Searched(1e-3, 10.0, log=True)] = Field(0.1, ge=0)
    sigma: float = Field(0.5, gt=0)
    lr: Annotated[float | None, Searched(1e-3, 0.1, log=True)] = Field(0.02, gt=0)
    weight_decay: float | None = Field(0.0, ge=0)


def _build(images: Batches, settings: StochasticGatesSettings) -> InputMask:
    return StochasticGates.from_images(images, penalty_weight=settings.penalty, sigma=settings.sigma)


ARMS.add(Arm("stochastic-gates", "noisy gates, as few open as needed", StochasticGatesSettings, "shared", _build))
