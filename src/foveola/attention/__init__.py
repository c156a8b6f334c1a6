"""Attention mechanisms, one a file, and the arms that they make.

Every module of this package is imported, so that an arm which a file registers is known without being named elsewhere.
"""

import pkgutil
from importlib import import_module

from foveola.attention import plain as plain  # stands first in `foveola list attention`
from foveola.attention.arm import ARMS, Arm, ArmSettings, LayerSettings, MaskSettings, SolvedSettings, register
from foveola.attention.attach import Attended, attach
from foveola.attention.attention_gate import AttentionGate, AttentionGatePooling
from foveola.attention.cbam import Cbam
from foveola.attention.compositions import Product, SideBySide, WindowMeans
from foveola.attention.coordinate import CoordinateAttention
from foveola.attention.criss_cross import CrissCross
from foveola.attention.eca import EfficientChannelAttention
from foveola.attention.foreign import WithMaps, record_attention
from foveola.attention.gather_excite import GatherExcite
from foveola.attention.global_attention import GlobalAttention
from foveola.attention.global_context import GlobalContext
from foveola.attention.joint import JointAttention
from foveola.attention.l1 import L1Mask
from foveola.attention.learn_to_pay import FairControl, LearnToPay, LearnToPaySettings, query_by
from foveola.attention.mask import FixedMask, InputMask
from foveola.attention.mechanism import AttentionLayer, Mechanism
from foveola.attention.non_local import NonLocal
from foveola.attention.operators import Operator, Pointwise, Pooling, SelfAttention, Shared, Sum
from foveola.attention.pay_attention import PayAttention
from foveola.attention.placement import insert
from foveola.attention.pointwise import PointwiseAttention
from foveola.attention.ppcr import PyramidPixelContext, resize_contexts
from foveola.attention.recording import recording
from foveola.attention.self_attention import SelfAttentionBlock
from foveola.attention.sge import SpatialGroupEnhance
from foveola.attention.sigmoid_mask import SigmoidMask
from foveola.attention.simam import SimAM
from foveola.attention.squeeze_excite import SqueezeExcite
from foveola.attention.srm import StyleRecalibration
from foveola.attention.stochastic_gates import StochasticGates

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "ARMS",
    "Arm",
    "ArmSettings",
    "Attended",
    "AttentionGate",
    "AttentionGatePooling",
    "AttentionLayer",
    "Cbam",
    "CoordinateAttention",
    "CrissCross",
    "EfficientChannelAttention",
    "FairControl",
    "FixedMask",
    "GatherExcite",
    "GlobalAttention",
    "GlobalContext",
    "InputMask",
    "JointAttention",
    "L1Mask",
    "LayerSettings",
    "LearnToPay",
    "LearnToPaySettings",
    "MaskSettings",
    "Mechanism",
    "NonLocal",
    "Operator",
    "PayAttention",
    "Pointwise",
    "PointwiseAttention",
    "Pooling",
    "Product",
    "PyramidPixelContext",
    "SelfAttention",
    "SelfAttentionBlock",
    "Shared",
    "SideBySide",
    "SigmoidMask",
    "SimAM",
    "SolvedSettings",
    "SpatialGroupEnhance",
    "SqueezeExcite",
    "StochasticGates",
    "StyleRecalibration",
    "Sum",
    "WindowMeans",
    "WithMaps",
    "attach",
    "insert",
    "query_by",
    "record_attention",
    "recording",
    "register",
    "resize_contexts",
]
