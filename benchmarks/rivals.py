"""A plug-in: blocks of MONAI and segmentation-models-pytorch as arms, to be compared at the places of ours."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.blocks import SpatialAttentionBlock
from monai.networks.nets.attentionunet import AttentionBlock
from segmentation_models_pytorch.base.modules import SCSEModule
from torch import Tensor
from torch.nn import functional

from foveola.attention import ARMS, Arm, LayerSettings, Mechanism
from foveola.attention.algebra import Pointwise


class MonaiGate(Mechanism):
    """MONAI's attention gate, with the decoder's features enlarged to the grid of those that it weighs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.gate = AttentionBlock(2, max(channels // 2, 1), channels, channels)

    def take_signal(self, channels: int) -> None:
        """Prepares for the features of a decoder."""
        self.gate = AttentionBlock(2, max(self.channels // 2, 1), channels, self.channels)

    def operator(self, features: Tensor, *context: Any) -> Pointwise:
        """Returns the gate."""
        ones = torch.ones_like(features[:, :1])
        signal = functional.interpolate(context[0], features.shape[2:], mode="bilinear") if context else features
        psi = self.gate.psi(self.gate.relu(self.gate.W_g(signal) + self.gate.W_x(features)))
        return Pointwise(ones * psi)


class OtherSettings(LayerSettings):
    """Where the block of another library goes; without weight decay, as ours are trained."""

    weight_decay: float | None = 0.0


for name, summary, operator, make in (
    ("monai-gate", "MONAI's attention gate", "pointwise", MonaiGate),
    ("monai-self", "MONAI's self-attention block", "self-attention", lambda c: SpatialAttentionBlock(2, c)),
    ("scse", "smp's scSE", "pointwise", SCSEModule),
):
    ARMS.add(Arm(name, summary, OtherSettings, operator, layer=lambda c, size, settings, make=make: make(c)))
