"""The trunk of a network with attention before its classifier: local features of some levels, and one global vector."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention.hosts.backbone_levels import chosen_levels
from foveola.attention.hosts.probing import outputs_of
from foveola.attention.networks.stage_taps import Tap, scaled_gradient, tapping
from foveola.foundation.errors import FoveolaError

LARGEST = 512
"""Dimensions of the global vector unless more are asked for."""


class Trunk(nn.Module):
    """A backbone without its classifier, which gives the features of some levels and the global vector g.

    g is what the backbone pools, put through the linear layer FC-1. A backbone that ends in such a layer of its own
    has it as its attribute ``fc1``, and keeps it; any other gets one.

    Args:
        backbone: With its pretrained weights, if any; changed in place, its classifier given up.
        image: ``1 x C x H x W``, of the size to come.
        levels: How many levels, counted from the deepest, or names of modules; see `chosen_levels`. 0 for none.
        dim: Dimensions of g; ``None`` for as many as are pooled, but 512 at most.
        dropout: In front of FC-1 where the backbone has none of its own.
        conv_dropout: Whether the backbone keeps the dropout between its convolutions.
        pooled: Whether the features of a level are max-pooled by 2, as they are behind a stage of VGG.
        average_gradients: Whether the gradients that come back to features and to g from their uses are averaged
            instead of summed.

    Attributes:
        shapes: Channels, height and width of the features by level, from fine to coarse.
        dim: Dimensions of g.

    Raises:
        FoveolaError: If the backbone does not have the levels, the features of one have a single position, or the
            backbone pools nothing, or has an FC-1 of another dimension.

    Example:
        >>> import timm, torch
        >>> trunk = Trunk(timm.create_model("resnet18"), torch.zeros(1, 3, 96, 64), levels=2, dim=20)
        >>> features, g = trunk(torch.rand(2, 3, 96, 64))
        >>> features["layer3"].shape, features["layer4"].shape, g.shape
        (torch.Size([2, 256, 6, 4]), torch.Size([2, 512, 3, 2]), torch.Size([2, 20]))
    """

    def __init__(
        self,
        backbone: nn.Module,
        image: Tensor,
        *,
        levels: int | str = 0,
        dim: int | None = None,
        dropout: float = 0.0,
        conv_dropout: bool = True,
        pooled: bool = False,
        average_gradients: bool = False,
    ) -> None:
        super().__init__()
        give_up_classifier(backbone)
        self.fc1, self.dim = _global_layer(backbone, image, dim, dropout)
        if not conv_dropout:
            _silence(backbone)
        shapes = chosen_levels(backbone, image, levels) if levels else {}
        halved = {name: (channels, height // 2, width // 2) for name, (channels, height, width) in shapes.items()}
        self.shapes, self.pooled = halved if pooled else shapes, pooled
        self.share = 1 / max(1, len(shapes)) if average_gradients else 1.0
        for name, (_, height, width) in self.shapes.items():
            if height * width < 2:
                raise FoveolaError(
                    "images large enough for attention at every level",
                    f"features of {height} x {width} at '{name}'",
                    "--image-size",
                    "choose a larger size, or levels that are less deep",
                )
        for name in sorted(shapes, key=lambda place: -place.count(".")):  # what stands inside another comes first
            tap = Tap(backbone.get_submodule(name), name, share=0.5 if average_gradients else 1.0)
            backbone.set_submodule(name, tap)
        self.backbone = backbone

    def forward(self, images: Tensor) -> tuple[dict[str, Float[Tensor, "b _ _ _"]], Float[Tensor, "b dim"]]:
        """Returns the features by level, and g."""
        with tapping() as tapped:
            g = self.fc1(self.backbone(images))
        features = {name: tapped[name] for name in self.shapes}
        if self.pooled:
            features = {name: functional.max_pool2d(values, 2) for name, values in features.items()}
        return features, scaled_gradient(g, self.share)


def give_up_classifier(backbone: nn.Module) -> None:
    """Makes a backbone return what its last layer, which is changed in place, has classified."""
    reset: Any = getattr(backbone, "reset_classifier", None)
    if reset is not None:
        reset(0)
        return
    layers = [name for name, module in backbone.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    backbone.set_submodule(layers[-1], nn.Identity())


def _global_layer(backbone: nn.Module, image: Tensor, dim: int | None, dropout: float) -> tuple[nn.Module, int]:
    """Returns FC-1, or nothing to do where the backbone ends in one, and the dimensions of g."""
    pooled = outputs_of(backbone, [""], image)[""]
    if not isinstance(pooled, Tensor) or pooled.ndim != 2:
        got = f"features of shape {tuple(pooled.shape)}" if isinstance(pooled, Tensor) else type(pooled).__name__
        raise FoveolaError("a backbone that pools its features", got, "--backbone", "choose another one")
    width = pooled.shape[1]
    if not hasattr(backbone, "fc1"):
        dim = min(width, LARGEST) if dim is None else dim
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, dim)), dim
    if dim not in (None, width):
        raise FoveolaError(
            f"{width}, which the backbone's own FC-1 has", str(dim), "the arm's setting `dim`", "leave it out"
        )
    return nn.Identity(), width


def _silence(backbone: nn.Module) -> None:
    """Turns off dropout between convolutions; that of FC-1 stays."""
    own: Any = getattr(backbone, "fc1", None)
    kept = set(own.modules()) if own is not None else set()
    for module in backbone.modules():
        if isinstance(module, nn.Dropout) and module not in kept:
            module.p = 0.0
