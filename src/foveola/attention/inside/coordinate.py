"""Coordinate attention: each channel is weighed by its row and by its column."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from timm.layers.coord_attn import CoordAttn
from torch import Tensor

from foveola.attention.algebra.operators import Pointwise
from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import Mechanism


class CoordinateAttention(Mechanism):
    """``y_c(i, j) = x_c(i, j) r_c(i) k_c(j)``: a weight for the row times one for the column.

    Rows and columns are averaged, go through one layer together and are weighed apart. The map is the mean of the
    products over channels.

    Source: Hou et al. 2021, arXiv:2103.02907, equations 4 to 9, with the layers of timm's `CoordAttn` at its defaults:
    the hidden layer has ``C / 24`` channels (8 at least, a multiple of 8) and no layer has a bias; the paper's own code
    has ``C / 32`` and biases.

    Args:
        channels: Of the features.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> CoordinateAttention(16)(torch.rand(2, 16, 12, 10)).shape
        torch.Size([2, 16, 12, 10])
    """

    def __init__(self, channels: int, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.layers: Any = CoordAttn(channels, device=device, dtype=dtype)

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pointwise:
        """Returns the products of the two gates, in 0..1."""
        layers, strips = self.layers, torch.cat([features.mean(3), features.mean(2)], dim=2)[..., None]
        hidden = layers.act(layers.bn1(layers.conv1(strips)))
        rows, columns = hidden[:, :, : features.shape[2]], hidden[:, :, features.shape[2] :]
        of_rows, of_columns = layers.gate(layers.conv_h(rows)), layers.gate(layers.conv_w(columns.mT))
        return Pointwise(of_rows * of_columns)


def _layer(channels: int, size: tuple[int, int], settings: LayerSettings) -> CoordinateAttention:
    return CoordinateAttention(channels)


ARMS.add(Arm("coord", "coordinate attention: weights of rows and columns", LayerSettings, "pointwise", layer=_layer))
