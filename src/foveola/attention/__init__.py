"""Attention mechanisms, one a file, and the arms that they make.

Every module of this package is imported, so that an arm which a file adds is known without being named elsewhere.
"""

from foveola.attention import plain as plain  # stands first in `foveola list attention`
from foveola.attention.arm import ARMS, Arm, ArmSettings, LayerSettings, MaskSettings, SolvedSettings
from foveola.attention.attach import Attended, attach
from foveola.attention.blocks.joint import JointAttention
from foveola.attention.blocks.pointwise import PointwiseAttention
from foveola.attention.blocks.self_attention import SelfAttentionBlock
from foveola.attention.foreign.library_maps import WithMaps, record_attention
from foveola.attention.hosts.placement import insert
from foveola.attention.input.global_attention import GlobalAttention
from foveola.attention.input.l1 import L1Mask
from foveola.attention.input.sigmoid_mask import SigmoidMask
from foveola.attention.input.stochastic_gates import StochasticGates
from foveola.attention.input_mask import FixedMask, InputMask
from foveola.attention.inside.cbam import Cbam
from foveola.attention.inside.coordinate import CoordinateAttention
from foveola.attention.inside.eca import EfficientChannelAttention
from foveola.attention.inside.gather_excite import GatherExcite
from foveola.attention.inside.global_context import GlobalContext
from foveola.attention.inside.non_local import NonLocal
from foveola.attention.inside.ppcr import PyramidPixelContext, resize_contexts
from foveola.attention.inside.sge import SpatialGroupEnhance
from foveola.attention.inside.simam import SimAM
from foveola.attention.inside.squeeze_excite import SqueezeExcite
from foveola.attention.inside.srm import StyleRecalibration
from foveola.attention.mechanism import AttentionLayer, Mechanism
from foveola.attention.networks.attention_gate import AttentionGate, AttentionGatePooling
from foveola.attention.networks.learn_to_pay import FairControl, LearnToPay, LearnToPaySettings, query_by
from foveola.attention.networks.pay_attention import PayAttention
from foveola.attention.recording import recording
from foveola.foundation.registry import import_members

import_members("foveola.attention")

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
    "PayAttention",
    "PointwiseAttention",
    "PyramidPixelContext",
    "SelfAttentionBlock",
    "SigmoidMask",
    "SimAM",
    "SolvedSettings",
    "SpatialGroupEnhance",
    "SqueezeExcite",
    "StochasticGates",
    "StyleRecalibration",
    "WithMaps",
    "attach",
    "insert",
    "query_by",
    "record_attention",
    "recording",
    "resize_contexts",
]
