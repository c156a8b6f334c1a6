"""Running a network once with one image, to learn what its modules get and put out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from foveola.foundation.errors import FoveolaError


class Call(NamedTuple):
    """The latest call of a module.

    Attributes:
        inputs: Its positional arguments.
        output: What it put out.
    """

    inputs: tuple[Any, ...]
    output: Any


def shapes_of(backbone: nn.Module, names: Sequence[str], image: Tensor) -> dict[str, tuple[int, int, int]]:
    """Returns channels, height and width of what some modules put out for an image.

    Raises:
        FoveolaError: If one puts out something else, or is not used.
    """
    calls = calls_of(backbone, names, image)
    return {name: feature_shape(name, calls) for name in names}


def feature_shape(name: str, calls: dict[str, Call]) -> tuple[int, int, int]:
    """Returns channels, height and width of what a module put out.

    Raises:
        FoveolaError: If it put out something else, or was not called.
    """
    features = calls[name].output if name in calls else None
    if not isinstance(features, Tensor) or features.ndim != 4:
        got = "nothing" if features is None else f"an output of shape {tuple(getattr(features, 'shape', ()))}"
        raise FoveolaError("features B x C x H x W", got, f"the module '{name}' of the backbone", "name another module")
    _, channels, height, width = features.shape
    return channels, height, width


def outputs_of(backbone: nn.Module, names: Sequence[str], image: Tensor) -> dict[str, Any]:
    """Returns what some modules put out for an image, in the order of use; those that are not used are missing."""
    return {name: call.output for name, call in calls_of(backbone, names, image).items()}


def calls_of(backbone: nn.Module, names: Sequence[str], image: Tensor) -> dict[str, Call]:
    """Returns how some modules were called for an image, in the order of use; those that are not used are missing."""
    with _listening(backbone, names) as calls, _evaluating(backbone), torch.no_grad():
        backbone(image)
    return calls


@contextmanager
def _listening(backbone: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Call]]:
    """Keeps how modules are called while the block runs."""
    kept: dict[str, Call] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: kept.__setitem__(name, Call(inputs, output))

    handles = [backbone.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
