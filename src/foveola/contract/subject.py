"""What is put to the test: something with attention inside, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from foveola.attention import ARMS, Mechanism, recording
from foveola.attention.algebra import Operator
from foveola.attention.arm import Row
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, arm_network

CLASSES = 3


@dataclass(frozen=True)
class Subject:
    """A layer or a network with attention inside.

    Attributes:
        make: Makes it anew; what is random in it comes from PyTorch's global generator.
        inputs: Features or images ``B x C x H x W``, no two of these numbers alike where it can be chosen.
        operator: What its matrix A is said to be.
    """

    make: Callable[[], nn.Module]
    inputs: Tensor
    operator: Row

    def built(self, *, seed: int = 1, moved: float = 0.3, dtype: torch.dtype = torch.float32) -> nn.Module:
        """Returns it in evaluation mode, away from where it starts.

        Every parameter is moved by noise of so many times its own size, or of that size where it is zero, so that what
        starts as nothing does something; running statistics are halfway to those of the inputs.
        """
        with torch.random.fork_rng(devices=()), torch.no_grad():
            torch.manual_seed(seed)
            module = self.make()
            for parameter in module.parameters():
                size = parameter.square().mean().sqrt()
                parameter.add_(moved * torch.randn_like(parameter) * (size if size else 1))
            norms = {norm: norm.momentum for norm in module.modules() if isinstance(norm, _BatchNorm)}
            for norm in norms:
                norm.momentum = 0.5
            module.train()(self.inputs)
            for norm, momentum in norms.items():
                norm.momentum = momentum
            return module.to(dtype).eval()


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Returns normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def layer_subject(name: str) -> Subject:
    """Returns the layer of an arm with its default settings, and features ``2 x 8 x 12 x 10``.

    Features have more channels where the layer wants more.
    """
    arm = ARMS[name]
    layer, settings, size = arm.layer, arm.configure({}), (12, 10)
    assert layer is not None, f"arm '{name}' has no layer"
    channels = _first(lambda channels: layer(channels, size, settings), (8, 16, 32, 64, 128))
    return Subject(lambda: layer(channels, size, settings), drawn(2, channels, *size), arm.operator)


@cache
def network_subject(name: str) -> Subject:
    """Returns the network of an arm with its default settings, and images.

    It is made of a small ResNet for images of 48 x 40; an arm that comes with a backbone of its own gets the smallest
    images that this takes.
    """
    arm = ARMS[name]
    settings = arm.configure({})
    if arm.backbone is None:
        return Subject(
            lambda: arm.adapt(_small_resnet(), drawn(1, 3, 48, 40), settings), drawn(2, 3, 48, 40), arm.operator
        )
    own = BackboneSettings(name=arm.backbone, pretrained=False)

    def network(size: int) -> nn.Module:
        return arm_network(arm, settings, own, ImageShape(channels=1, size=size, classes=CLASSES))

    size = _first(network, (32, 64, 96, 128, 224, 256))
    return Subject(lambda: network(size), drawn(2, 1, size, size), arm.operator)


def _small_resnet() -> nn.Module:
    block: Any = BasicBlock  # timm asks for a block where it means the class of one
    return ResNet(block, (1, 1, 1, 1), num_classes=CLASSES, channels=(32, 48, 64, 80))


def _first(build: Callable[[int], object], sizes: Sequence[int]) -> int:
    """Returns the first size that something can be built for; where there is none, the last one says why."""
    for size in sizes[:-1]:
        try:
            with torch.random.fork_rng(devices=()):
                build(size)
        except FoveolaError:
            continue
        return size
    return sizes[-1]


class Use(NamedTuple):
    """One pass of features through a mechanism, and the operator that it said it would apply."""

    mechanism: Mechanism
    operator: Operator
    inputs: tuple[Tensor, ...]
    output: Tensor


def uses(module: nn.Module, inputs: Tensor) -> list[Use]:
    """Returns how each mechanism in a module is used for these inputs, in the order of use."""
    passes: list[tuple[nn.Module, tuple[Tensor, ...], Tensor]] = []
    with recording() as emitted, _watching(module, passes):
        module(inputs)
    used = [mechanism for mechanism, *_ in passes]
    said = [(mechanism, operator) for mechanism, operator in emitted if isinstance(mechanism, Mechanism)]
    require(
        used == [mechanism for mechanism, _ in said],
        f"mechanisms were used {len(used)} times, and said {len(said)} times which operator they apply",
    )
    return [Use(*pair, *seen[1:]) for pair, seen in zip(said, passes, strict=True)]


@contextmanager
def _watching(module: nn.Module, passes: list[tuple[nn.Module, tuple[Tensor, ...], Tensor]]) -> Iterator[None]:
    """Notes what goes into and comes out of every mechanism while the block runs."""

    def note(mechanism: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        given = tuple(each.clone() if isinstance(each, Tensor) else each for each in inputs)
        passes.append((mechanism, given, output.clone()))  # what comes next may work in place

    handles = [part.register_forward_hook(note) for part in module.modules() if isinstance(part, Mechanism)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def require(condition: object, otherwise: str) -> None:
    """Raises what a failed assertion raises, also where Python was told to leave assertions out.

    Raises:
        AssertionError: If the condition does not hold.
    """
    if not condition:
        raise AssertionError(otherwise)


def require_same(found: Tensor, expected: Tensor, *, exact: bool = False) -> None:
    """Raises if two tensors differ: by more than rounding, or at all.

    Raises:
        AssertionError: With where and by how much they differ.
    """
    torch.testing.assert_close(found, expected, rtol=0 if exact else 1e-4, atol=0 if exact else 1e-5)
