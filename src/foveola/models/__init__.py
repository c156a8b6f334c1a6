"""Networks by name that classify images or pixels, their weights, classical baselines, and fitted models on disk."""

from foveola.foundation.registry import import_members
from foveola.models.building.arm_network import arm_backbone, arm_network
from foveola.models.building.backbones import (
    backbone_design,
    build_backbone,
    pretrained_statistics,
    segmenter_names,
)
from foveola.models.building.classification import backbone_names
from foveola.models.fitted.fitted_model import FittedModel, ModelDescription
from foveola.models.network_spec import OWN_BACKBONES, OWN_SEGMENTERS, BackboneSettings, ImageShape, NetworkSpec

import_members("foveola.models")

__all__ = [
    "OWN_BACKBONES",
    "OWN_SEGMENTERS",
    "BackboneSettings",
    "FittedModel",
    "ImageShape",
    "ModelDescription",
    "NetworkSpec",
    "arm_backbone",
    "arm_network",
    "backbone_design",
    "backbone_names",
    "build_backbone",
    "pretrained_statistics",
    "segmenter_names",
]
