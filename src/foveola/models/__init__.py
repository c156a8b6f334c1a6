"""Networks by name that classify images or pixels, their weights, classical baselines, and fitted models on disk."""

from foveola.models import classical, observer  # noqa: F401  their arms register themselves
from foveola.models.arm_network import arm_backbone, arm_network
from foveola.models.backbones import backbone_design, build_backbone, pretrained_statistics, segmenter_names
from foveola.models.classification import backbone_names
from foveola.models.design import OWN_BACKBONES, OWN_SEGMENTERS, BackboneSettings, Design, ImageShape
from foveola.models.fitted import FittedModel, ModelDescription

__all__ = [
    "OWN_BACKBONES",
    "OWN_SEGMENTERS",
    "BackboneSettings",
    "Design",
    "FittedModel",
    "ImageShape",
    "ModelDescription",
    "arm_backbone",
    "arm_network",
    "backbone_design",
    "backbone_names",
    "build_backbone",
    "pretrained_statistics",
    "segmenter_names",
]
