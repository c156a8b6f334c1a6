"""The Residual Attention Network of 92 layers, as pytorchcv builds it."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from foveola.attention import Mechanism
from foveola.attention.algebra import Pointwise
from foveola.attention.networks.residual_attention import SIDE
from foveola.foundation.errors import FoveolaError
from foveola.foundation.extras import needed
from foveola.models.network_spec import OWN_BACKBONES, BackboneSettings, ImageShape, NetworkSpec, OwnNetwork


class SoftMask(Mechanism):
    """``y = T + M T``: features T of the trunk are kept, and those that the mask M selects are kept twice.

    The map is M, averaged over channels. M has one weight a position and channel and comes from the features of the
    mask branch, an hourglass, by two convolutions.

    Source: Wang et al. 2017, arXiv:1704.06904, equation 3, with the mixed attention of equation 4.

    Args:
        layers: The convolutions, which end in a sigmoid.
    """

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pointwise:
        """Returns the mask, in 0..1, from the features of the mask branch, which are the context."""
        (branch,) = context
        return Pointwise(self.layers(branch))

    def fuse(self, features: Float[Tensor, "b c h w"], attended: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the features with what the mask selects added."""
        return features + attended


class AttentionBlock(nn.Module):
    """One block of pytorchcv's `AttBlock` with its mask where it can be seen; the numbers are the same.

    Args:
        block: The block, whose parts are used.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.init_blocks, self.hg, self.final_block = block.init_blocks, block.hg, block.final_block
        self.attention = SoftMask(block.middle_block)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns features of the same shape."""
        branch, trunk = self.hg(self.init_blocks(features))
        result: Tensor = self.final_block(self.attention(trunk, branch))
        return result


def resattnet92(channels: int, classes: int) -> nn.Module:
    """Builds the network for images of 224 x 224 px; there are no pretrained weights of it.

    Source: Wang et al. 2017, arXiv:1704.06904, Attention-92, as pytorchcv builds it: its hourglasses add the trunk to
    the mask branch at full resolution, which the paper's figure does not show.

    Args:
        channels: Of the images.
        classes: Number of logits.

    Raises:
        FoveolaError: If pytorchcv is not installed.
    """
    resattnet = needed("pytorchcv.models.resattnet", "baselines")
    network: nn.Module = resattnet.resattnet92(in_channels=channels, num_classes=classes)
    for name, block in list(network.named_modules()):
        if isinstance(block, resattnet.AttBlock):
            network.set_submodule(name, AttentionBlock(block))
    return network


def _build(shape: ImageShape, settings: BackboneSettings) -> NetworkSpec:
    if shape.size != SIDE:
        smaller = ", or --set resattnet92.enlarge=true with the arm resattnet92" if shape.size < SIDE else ""
        raise FoveolaError(
            f"images of {SIDE} x {SIDE} px",
            f"{shape.size} x {shape.size}",
            "the backbone resattnet92",
            f"give --image-size {SIDE}{smaller}",
        )
    return NetworkSpec(resattnet92(shape.channels, shape.classes), ("output",), ("features.init_block.conv.conv",))


OWN_BACKBONES.add(OwnNetwork("resattnet92", _build))
