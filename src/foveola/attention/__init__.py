"""Attention mechanisms, one a file, and the arms that they make."""

from foveola.attention import plain as plain  # the order of these imports is the order of `foveola list arms`
from foveola.attention.arm import ARMS, Arm, ArmSettings
from foveola.attention.attach import Attended, attach
from foveola.attention.global_attention import GlobalAttention
from foveola.attention.l1 import L1Mask
from foveola.attention.mask import FixedMask, InputMask
from foveola.attention.sigmoid_mask import SigmoidMask
from foveola.attention.stochastic_gates import StochasticGates

__all__ = [
    "ARMS",
    "Arm",
    "ArmSettings",
    "Attended",
    "FixedMask",
    "GlobalAttention",
    "InputMask",
    "L1Mask",
    "SigmoidMask",
    "StochasticGates",
    "attach",
]
