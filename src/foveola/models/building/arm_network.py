"""The network of an arm: a backbone with what the arm puts into it or makes of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from foveola.attention import ARMS, Arm, ArmSettings
from foveola.foundation.errors import FoveolaError
from foveola.models.building.backbones import backbone_design, build_backbone, try_out
from foveola.models.network_spec import BASELINE_NETWORKS, BackboneSettings, ImageShape


def arm_backbone(arm: Arm, settings: ArmSettings, backbone: BackboneSettings) -> BackboneSettings:
    """Returns the settings of the backbone that an arm has.

    It is the comparison's, unless the arm comes with its own or its settings choose another.

    Args:
        arm: The arm.
        settings: The arm's own.
        backbone: The comparison's backbone.

    Raises:
        FoveolaError: If the arm cannot do with it.
    """
    if arm.backbone is not None:
        return BackboneSettings(name=arm.backbone, pretrained=False)
    chosen: BackboneSettings = settings.chosen_backbone(backbone)
    return chosen


def arm_network(
    arm: Arm, settings: Any, backbone: BackboneSettings, shape: ImageShape, *, load: bool = True
) -> nn.Module:
    """Builds the network of an arm, without the mask in front of it.

    Where every pixel gets a class, the sizes of features are found at the size of the shape, that of what is trained
    on. PPCR with a weight or a norm a pixel is tied to the one there; every other layer takes images of any size.

    Args:
        arm: The arm.
        settings: The arm's own.
        backbone: The comparison's backbone.
        shape: What the network is to take and to tell apart.
        load: Whether to load the backbone's pretrained weights, if it has some.

    Raises:
        FoveolaError: For what cannot be built for such images, an arm that classifies where every pixel is to get a
            class, and a person.

    Example:
        >>> arm, shape = ARMS["plain"], ImageShape(channels=1, size=32, classes=3)
        >>> network = arm_network(arm, arm.configure({}), BackboneSettings(name="small-cnn"), shape)
        >>> network(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 3])
    """
    if arm.human:
        raise FoveolaError("an arm with a network", f"'{arm.name}', a person", "--arm", "choose another arm")
    if shape.per_pixel and not arm.segments:
        raise FoveolaError(
            "an arm that gives every pixel a class",
            f"'{arm.name}', which classifies images",
            "--arm",
            "choose among " + ", ".join(name for name, other in ARMS.items() if other.segments),
        )
    chosen = arm_backbone(arm, settings, backbone)
    seen = shape.model_copy(update={"size": settings.backbone_size(shape.size)})
    if chosen.name in BASELINE_NETWORKS and arm.backbone is not None:
        network = BASELINE_NETWORKS[chosen.name].build(seen, chosen).network
    else:
        network = (build_backbone if load else backbone_design)(chosen, seen)
    if arm.layer is None and arm.network is None:
        return network
    image = torch.zeros(1, shape.channels, shape.size, shape.size)
    network = arm.adapt(network, image, settings)
    try_out(network, f"{arm.name} with {chosen.name}", shape)
    return network
