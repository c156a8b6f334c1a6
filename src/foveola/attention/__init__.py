"""Attention mechanisms, one a file, and the arms that they make.

Every module of this package is imported, so that an arm which a file registers is known without being named elsewhere.
"""

import pkgutil
from importlib import import_module

from foveola.attention import plain as plain  # stands first in `foveola list attention`
from foveola.attention.arm import ARMS, Arm, ArmSettings, LayerSettings, MaskSettings, register
from foveola.attention.attach import Attended, attach
from foveola.attention.foreign import WithMaps, record_attention
from foveola.attention.global_attention import GlobalAttention
from foveola.attention.l1 import L1Mask
from foveola.attention.mask import FixedMask, InputMask
from foveola.attention.mechanism import AttentionLayer, Mechanism
from foveola.attention.operators import Operator, Pointwise, Pooling, SelfAttention, Shared, Sum
from foveola.attention.placement import insert
from foveola.attention.recording import recording
from foveola.attention.sigmoid_mask import SigmoidMask
from foveola.attention.stochastic_gates import StochasticGates

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "ARMS",
    "Arm",
    "ArmSettings",
    "Attended",
    "AttentionLayer",
    "FixedMask",
    "GlobalAttention",
    "InputMask",
    "L1Mask",
    "LayerSettings",
    "MaskSettings",
    "Mechanism",
    "Operator",
    "Pointwise",
    "Pooling",
    "SelfAttention",
    "Shared",
    "SigmoidMask",
    "StochasticGates",
    "Sum",
    "WithMaps",
    "attach",
    "insert",
    "record_attention",
    "recording",
    "register",
]
