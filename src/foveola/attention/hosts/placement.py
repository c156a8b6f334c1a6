"""Where attention goes inside a network: into residual blocks, behind stages, or where the network says it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timm.models.resnet import BasicBlock, Bottleneck
from torch import Tensor, nn

from foveola.attention.hosts.backbone_levels import levels_of, named_by_timm
from foveola.attention.hosts.probing import Call, calls_of, feature_shape, shapes_of
from foveola.attention.mechanism import Mechanism
from foveola.foundation.errors import FoveolaError

Size = tuple[int, int]
BLOCKS = (BasicBlock, Bottleneck)
"""Residual blocks that apply their module ``se`` after the last norm and before the shortcut is added."""


class Place(nn.Module):
    """Where attention can go in a network that is made for it: without any, features pass through.

    A network calls it as ``place(features, signal)`` where there are coarser features of a decoder ``B x D x h x w``,
    and as ``place(features)`` elsewhere.
    """

    def forward(self, features: Tensor, *signal: Tensor) -> Tensor:
        """Returns the features."""
        return features


class Followed(nn.Module):
    """A stage of a backbone with attention behind it.

    What the stage is called with beside features is its own. Behind a `Place` it is a signal, which a mechanism gets
    too: its ``operator`` has it as context.

    Example:
        >>> import torch
        >>> Followed(nn.Conv2d(3, 8, 3), nn.Identity())(torch.rand(2, 3, 12, 10)).shape
        torch.Size([2, 8, 10, 8])
    """

    def __init__(self, stage: nn.Module, attention: nn.Module) -> None:
        super().__init__()
        self.stage = stage
        self.attention = attention

    def forward(self, features: Tensor, *context: Any, **options: Any) -> Tensor:
        """Returns what attention makes of the stage's features."""
        signalled = isinstance(self.stage, Place) and isinstance(self.attention, Mechanism)
        features = self.stage(features, *context, **options)
        attended: Tensor = self.attention(features, *context) if signalled else self.attention(features)
        return attended


def insert(
    backbone: nn.Module, layer: Callable[[int, Size], nn.Module], image: Tensor, *, at: str = "auto"
) -> list[str]:
    """Puts a layer into a backbone, in place, at every place that is asked for.

    A `Mechanism` with a method ``take_signal(channels)`` is told how many channels the signal has where there is one
    (see `Place`), before it is used; one that is not told gets the signal all the same.

    Args:
        backbone: An image CNN.
        layer: Makes the layer for features of so many channels and such a height and width.
        image: ``1 x C x H x W``, of the size to come; the sizes of the features are found with it.
        at: ``blocks``, ``stages``, ``auto`` or names of modules, separated by commas; see `LayerSettings`.

    Returns:
        The names of the blocks or stages that have the layer now.

    Raises:
        FoveolaError: If there is no such place, or the features there are no ``B x C x H x W``.

    Example:
        >>> import timm, torch
        >>> network = timm.create_model("resnet18", num_classes=3)
        >>> insert(network, lambda channels, size: nn.BatchNorm2d(channels), torch.rand(1, 3, 64, 48), at="stages")
        ['layer1', 'layer2', 'layer3', 'layer4']
    """
    places = places_in(backbone, at, image)
    in_block = at == "blocks" or (at == "auto" and not _own_places(backbone) and bool(residual_blocks(backbone)))
    watched = [_last_norm(backbone.get_submodule(place)) if in_block else place for place in places]
    names = [f"{place}.{inner}" if in_block else inner for place, inner in zip(places, watched, strict=True)]
    calls = calls_of(backbone, names, image)
    shapes = {name: feature_shape(name, calls) for name in names}
    inner_first = sorted(zip(places, names, strict=True), key=lambda pair: -pair[0].count("."))
    for place, name in inner_first:  # as a module that is followed has another path to what is in it
        channels, height, width = shapes[name]
        made, host = layer(channels, (height, width)), backbone.get_submodule(place)
        if isinstance(made, Mechanism):
            made.place = place
            _tell_signal(made, host, calls[name])
        if not in_block:
            backbone.set_submodule(place, Followed(host, made))
        elif (own := getattr(host, "se", None)) is None:
            host.se = made
        else:
            raise FoveolaError(
                "residual blocks without attention of their own",
                f"{type(own).__name__} in '{place}'",
                "--backbone",
                "choose another backbone, or set the arm's `at` to stages",
            )
    return places


def places_in(backbone: nn.Module, at: str, image: Tensor) -> list[str]:
    """Returns the names of the blocks, stages or places that ``at`` stands for.

    A network may say by its attribute ``attention_places`` where attention can go: names of modules by the name of
    their group, of which one is ``auto``. Groups and modules can be named together then, separated by commas.

    Raises:
        FoveolaError: If the backbone has none, or a name is not that of one of its modules.
    """
    own = _own_places(backbone)
    if at == "auto" and not own:
        at = "blocks" if residual_blocks(backbone) else "stages"
    if at == "blocks" or (at == "stages" and not own):
        found = residual_blocks(backbone) if at == "blocks" else stages_of(backbone, image)
        if not found:
            kind = "residual blocks that take attention" if at == "blocks" else "stages that are known"
            raise FoveolaError(
                f"a backbone with {kind}",
                f"a {type(backbone).__name__} without",
                "the arm's setting `at`",
                "name the modules to put attention behind, separated by commas",
            )
        return found
    known = [name for name, _ in backbone.named_modules() if name]
    names = [member for name in at.split(",") for member in own.get(name.strip(), (name.strip(),))]
    for name in names:
        if name not in known:
            offered = dict.fromkeys([*own, *(place for group in own.values() for place in group)])
            raise FoveolaError(
                "a known stage",
                f"'{name}'",
                "the arm's setting `at`",
                "choose among " + ", ".join(offered or stages_of(backbone, image) or known),
            )
    if not names:
        raise FoveolaError(
            f"a backbone with {at}",
            f"{type(backbone).__name__}, which has none",
            "the arm's setting `at`",
            "choose among " + ", ".join(group for group in own if own[group]),
        )
    return list(dict.fromkeys(names))


def _own_places(backbone: nn.Module) -> dict[str, tuple[str, ...]]:
    """Returns where a network says that attention can go; nothing for one that does not say."""
    found: dict[str, tuple[str, ...]] = getattr(backbone, "attention_places", {})
    return found


def _tell_signal(mechanism: Mechanism, host: nn.Module, call: Call) -> None:
    """Tells a mechanism how many channels the signal at its place has, if it asks and there is one."""
    take = getattr(mechanism, "take_signal", None)
    if take is not None and isinstance(host, Place) and len(call.inputs) > 1:
        take(call.inputs[1].shape[1])


def residual_blocks(backbone: nn.Module) -> list[str]:
    """Returns the names of the residual blocks that take attention before the shortcut is added."""
    return [name for name, module in backbone.named_modules() if isinstance(module, BLOCKS)]


def stages_of(backbone: nn.Module, image: Tensor) -> list[str]:
    """Returns the names of the stages of a backbone, without its stem, in the order of use.

    timm says what they are; where what it names are no stages but single layers, they are the levels (see `levels_of`).
    For another network they are its child modules that have convolutions.

    Args:
        backbone: An image CNN.
        image: ``1 x C x H x W``, of the size to come.
    """
    if not getattr(backbone, "feature_info", None):
        return [
            name
            for name, child in backbone.named_children()
            if any(isinstance(module, nn.Conv2d) for module in child.modules())
        ]
    levels, modules = levels_of(backbone, image), dict(backbone.named_modules())
    stages = [name for name in named_by_timm(backbone) if _has_layers(modules[name])]
    if not stages:
        return list(levels)
    deepest = list(levels)[-1:]  # what is named there may be the norm behind the last stage, as in DenseNet
    covered = {shape[1:] for shape in shapes_of(backbone, stages, image).values()} if deepest else set()
    return stages + [name for name in deepest if levels[name][1:] not in covered]


def _has_layers(module: nn.Module) -> bool:
    """Says whether a module is more than the norm or the activation that a stem ends in."""
    return any(isinstance(child, nn.Conv2d) or list(child.children()) for child in module.children())


def _last_norm(block: nn.Module) -> str:
    return "bn3" if hasattr(block, "bn3") else "bn2"
