"""Running a network once with one image, to learn what its modules put out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from foveola.errors import FoveolaError


def shapes_of(backbone: nn.Module, names: Sequence[str], image: Tensor) -> dict[str, tuple[int, int, int]]:
    """Returns channels, height and width of what some modules put out for an image.

    Raises:
        FoveolaError: If one puts out something else, or is not used.
    """
    outputs = outputs_of(backbone, names, image)
    for name in names:
        features = outputs.get(name)
        if not isinstance(features, Tensor) or features.ndim != 4:
            got = "nothing" if features is None else f"an output of shape {tuple(getattr(features, 'shape', ()))}"
            raise FoveolaError(
                "features B x C x H x W", got, f"the module '{name}' of the backbone", "name another module"
            )
    return {name: tuple(outputs[name].shape[1:]) for name in names}


def outputs_of(backbone: nn.Module, names: Sequence[str], image: Tensor) -> dict[str, Any]:
    """Returns what some modules put out for an image, in the order of use; those that are not used are missing."""
    with _outputs(backbone, names) as outputs, _evaluating(backbone), torch.no_grad():
        backbone(image)
    return outputs


@contextmanager
def _outputs(backbone: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Keeps what modules put out while the block runs."""
    kept: dict[str, Any] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: kept.__setitem__(name, output)

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
