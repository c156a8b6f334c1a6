"""Image CNNs by name, their weights and their stems, and fitted models on disk."""

from foveola.models.backbones import (
    BackboneSettings,
    ImageShape,
    backbone_design,
    backbone_names,
    build_backbone,
    pretrained_statistics,
)
from foveola.models.fitted import FittedModel, ModelDescription

__all__ = [
    "BackboneSettings",
    "FittedModel",
    "ImageShape",
    "ModelDescription",
    "backbone_design",
    "backbone_names",
    "build_backbone",
    "pretrained_statistics",
]
