"""Parts of what is put to the test: the mask, layer or network of an arm, of a class, or of a module."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar

import torch
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from foveola.attention import ARMS, Arm, AttentionLayer, InputMask
from foveola.attention.arm import Row
from foveola.contract.inside import TYPES
from foveola.contract.subject import CLASSES, MaskSubject, Subject, drawn, structured, uses
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, arm_network

CHANNELS = (8, 16, 32, 64, 128, 3, 1)
"""Tried in turn for a layer; no two sizes of the features ``2 x C x 12 x 10`` are equal."""
IMAGES = ((2, 3, 48, 40), (2, 1, 48, 40), (2, 3, 64, 64), (2, 1, 64, 64), (2, 3, 224, 224))
"""Tried in turn for a network that is a module."""

Choice = TypeVar("Choice")


class Part(NamedTuple):
    """Something to put to the test.

    Attributes:
        kind: ``mask``, ``layer`` or ``network``.
        subject: Makes the subject when it is first needed.
        source: What it is a part of: ``arm``, ``own backbone`` (an arm that comes with one), ``class`` or ``module``.
    """

    kind: str
    subject: Callable[[], Subject]
    source: str


def parts_of(
    tested: str | type[nn.Module] | nn.Module, settings: Mapping[str, Any] | None = None, inputs: Tensor | None = None
) -> list[Part]:
    """Returns the parts of an arm, of a class or of a module that a contract speaks about; none without attention.

    Args:
        tested: The name of an arm; the class of a mask, which `InputMask.from_images` makes, or of a layer, which is
            made with a number of channels; or a module.
        settings: Of the arm.
        inputs: Features or images to try a module with; found by trying if none are given.

    Raises:
        FoveolaError: If there is no such arm, or no inputs are found that a module takes.
    """
    if isinstance(tested, str):
        return _parts_of_arm(ARMS[tested], settings or {})
    if isinstance(tested, nn.Module):
        return _parts_of_module(tested, inputs)
    if issubclass(tested, InputMask):
        return [Part("mask", partial(MaskSubject.of, tested.from_images, structured(7, 3, 12, 10)), "class")]
    if issubclass(tested, AttentionLayer):
        made = _class_subject(tested)
        return [Part("layer", lambda: made, "class")]
    return []


def _parts_of_arm(arm: Arm, settings: Mapping[str, Any]) -> list[Part]:
    chosen = arm.configure(dict(settings))
    if not arm.attends:
        return []
    if arm.mask is not None:
        make = arm.mask
        return [
            Part("mask", lambda: MaskSubject.of(lambda images: make(images, chosen), structured(7, 3, 12, 10)), "arm")
        ]
    parts = [] if arm.layer is None else [Part("layer", partial(_layer_subject, arm, chosen), "arm")]
    source = "arm" if arm.backbone is None else "own backbone"
    return [*parts, Part("network", partial(_network_subject, arm, chosen), source)]


def _layer_subject(arm: Arm, settings: Any) -> Subject:
    """Returns the layer of an arm, and features ``2 x C x 12 x 10`` with as many channels as it wants."""
    layer, size = arm.layer, (12, 10)
    assert layer is not None
    channels = _first(lambda channels: layer(channels, size, settings), CHANNELS)
    return Subject(lambda: layer(channels, size, settings), drawn(2, channels, *size), arm.operator)


def _network_subject(arm: Arm, settings: Any) -> Subject:
    """Returns the network of an arm, and images.

    It is made of a small ResNet for images of 48 x 40; an arm that comes with a backbone of its own gets the smallest
    images that this takes.
    """
    if arm.backbone is None:
        return Subject(
            lambda: arm.adapt(_small_resnet(), drawn(1, 3, 48, 40), settings), drawn(2, 3, 48, 40), arm.operator
        )
    network, size = _smallest(arm, settings)
    return Subject(lambda: copy.deepcopy(network), drawn(2, 1, size, size), arm.operator)


@lru_cache(maxsize=1)
def _smallest(arm: Arm, settings: Any) -> tuple[nn.Module, int]:
    """Returns the network of an arm with a backbone of its own, and the side of the smallest images that it takes."""
    size = _first(lambda size: _own_network(arm, settings, size), (32, 64, 96, 128, 224, 256))
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        return _own_network(arm, settings, size), size


def _own_network(arm: Arm, settings: Any, size: int) -> nn.Module:
    assert arm.backbone is not None
    backbone = BackboneSettings(name=arm.backbone, pretrained=False)
    return arm_network(arm, settings, backbone, ImageShape(channels=1, size=size, classes=CLASSES))


def _small_resnet() -> nn.Module:
    block: Any = BasicBlock  # timm asks for a block where it means the class of one
    return ResNet(block, (1, 1, 1, 1), num_classes=CLASSES, channels=(32, 48, 64, 80))


def _class_subject(layer: Callable[[int], nn.Module]) -> Subject:
    channels = _first(layer, CHANNELS)
    inputs = drawn(2, channels, 12, 10)
    return Subject(lambda: layer(channels), inputs, _row_of(layer(channels), inputs))


def _parts_of_module(module: nn.Module, inputs: Tensor | None) -> list[Part]:
    """Returns a module as a part: copies of it are put to the test, and it is left as it is."""

    def subject(tried: Iterable[tuple[int, ...]]) -> Subject:
        taken = inputs if inputs is not None else drawn(*_first(lambda shape: _runs(module, shape), tried))
        return Subject(lambda: copy.deepcopy(module), taken, _row_of(copy.deepcopy(module), taken))

    if isinstance(module, InputMask):
        images = drawn(7, 3, *module.map().shape) if inputs is None else inputs
        return [Part("mask", lambda: MaskSubject.of(lambda _: copy.deepcopy(module), images), "module")]
    if isinstance(module, AttentionLayer):
        layer = subject((2, channels, 12, 10) for channels in CHANNELS)
        return [Part("layer", lambda: layer, "module")]
    if any(isinstance(part, AttentionLayer) for part in module.modules()):
        network = subject(IMAGES)
        return [Part("network", lambda: network, "module")]
    return []


def _runs(module: nn.Module, shape: tuple[int, ...]) -> None:
    with torch.no_grad():
        copy.deepcopy(module).eval()(drawn(*shape))


def _row_of(module: nn.Module, inputs: Tensor) -> Row:
    """Returns the row of the table of operators that a module is in, by what it emits."""
    with torch.no_grad():
        used = uses(module.eval(), inputs)
    rows: list[Row] = [row for row, kind in TYPES.items() if used and isinstance(used[0].operator, kind)]
    return rows[0] if rows else "sum" if used else "channels"


def _first(build: Callable[[Choice], object], choices: Iterable[Choice]) -> Choice:
    """Returns the first choice that something can be built with, or that a module takes."""
    reason: Exception | None = None
    for choice in choices:
        try:
            with torch.random.fork_rng(devices=()):
                build(choice)
        except (FoveolaError, RuntimeError, TypeError, ValueError, AssertionError) as error:
            reason = error
            continue
        return choice
    raise FoveolaError(
        "a class that is made with a number of channels, or a module that takes features or images of an ordinary size",
        f"neither ({reason})",
        "the contract",
        "give a module, and inputs=, a tensor B x C x H x W to try it with",
    ) from reason
