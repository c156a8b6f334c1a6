"""Recording which operators a model uses, without leaving anything on its modules.

A mechanism says which operator it is about to apply by `emit`; whoever asked by `recording` gets it, and otherwise it
is forgotten. Nothing is stored on a module, so that models stay picklable and free of tensors that nobody asked for,
and the whole is ordinary Python that ``torch.compile`` and ``torch.export`` trace through.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from foveola.attention.algebra.operators import Operator

Emitted = list[tuple[nn.Module, Operator]]
"""Modules and the operators that they used, in the order of use."""


class _Listeners(threading.local):
    """Who listens in this thread, from the outermost on."""

    lists: tuple[Emitted, ...] = ()


_listeners = _Listeners()


def emit(module: nn.Module, operator: Operator) -> None:
    """Tells everyone who listens that ``module`` uses ``operator`` in this forward pass."""
    for emitted in _listeners.lists:
        emitted.append((module, operator))


@contextmanager
def recording() -> Iterator[Emitted]:
    """Listens while the block runs.

    Example:
        >>> import torch
        >>> from foveola.attention import FixedMask
        >>> mask = FixedMask(torch.full((12, 10), 0.5))
        >>> with recording() as emitted:
        ...     masked = mask(torch.ones(2, 3, 12, 10))
        >>> [(type(module).__name__, type(operator).__name__) for module, operator in emitted]
        [('FixedMask', 'Shared')]
    """
    emitted: Emitted = []
    before = _listeners.lists
    _listeners.lists = (*before, emitted)
    try:
        yield emitted
    finally:
        _listeners.lists = before


def named_maps(model: nn.Module, emitted: Emitted) -> dict[str, Tensor]:
    """Returns what each position received, by the place of the mechanism in the model.

    A place is the dotted name of the mechanism, without the last part where that only says that it is attention
    (``layer1.0.se`` is ``layer1.0``); or what the mechanism itself says by its attribute ``place``. A mechanism that
    was used again appears as ``PLACE#2``.
    """
    places = {module: getattr(module, "place", None) or _place(name) for name, module in model.named_modules()}
    maps: dict[str, Tensor] = {}
    for module, operator in emitted:
        place, uses = places[module], 1
        while (name := place if uses == 1 else f"{place}#{uses}") in maps:
            uses += 1
        maps[name] = operator.received()
    return maps


def _place(name: str) -> str:
    return name.removesuffix(".se").removesuffix(".attention") or "features"
