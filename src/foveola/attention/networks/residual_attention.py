"""The arm of the Residual Attention Network, which is a backbone of its own."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention.arm import ARMS, Arm, ArmSettings
from foveola.attention.mechanism import Mechanism

SIDE = 224
"""The only side of images, in pixels, that the network takes."""


class ResidualAttentionSettings(ArmSettings):
    """Settings of the arm ``resattnet92``.

    Attributes:
        enlarge: Whether images smaller than 224 x 224 are enlarged inside the network, which takes no other size.
    """

    enlarge: bool = False

    def backbone_size(self, size: int) -> int:
        """Returns 224 for smaller images that are enlarged."""
        return SIDE if self.enlarge and size < SIDE else size


class Enlarged(nn.Module):
    """A network for images of one size, which enlarges all images to it bilinearly first.

    Args:
        network: Takes images of ``side x side``.
        side: In pixels.

    Example:
        >>> import torch
        >>> Enlarged(nn.Identity(), 16)(torch.rand(2, 3, 12, 10)).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(self, network: nn.Module, side: int = SIDE) -> None:
        super().__init__()
        self.network, self.side = network, side
        for name, module in network.named_modules():
            if isinstance(module, Mechanism):
                module.place = module.place or name  # as it is called without the enlargement

    def forward(self, images: Float[Tensor, "b c h w"]) -> Any:
        """Returns what the network makes of the enlarged images."""
        return self.network(functional.interpolate(images, (self.side, self.side), mode="bilinear"))


def _network(backbone: nn.Module, image: Tensor, settings: ResidualAttentionSettings) -> nn.Module:
    return Enlarged(backbone) if settings.enlarge else backbone


ARMS.add(
    Arm(
        "resattnet92",
        "Residual Attention Network: a backbone with masks",
        ResidualAttentionSettings,
        "pointwise",
        network=_network,
        backbone="resattnet92",
    )
)
