"""Image CNNs by name, their weights and their stems."""

from foveola.models.backbones import BackboneSettings, backbone_names, build_backbone, pretrained_statistics

__all__ = ["BackboneSettings", "backbone_names", "build_backbone", "pretrained_statistics"]
