"""Recording and replacing the operators that a model uses, without leaving anything on its modules.

A mechanism hands the operator that it is about to apply to `emit`. Whoever asked by `recording` gets it, and whoever
asked by `replacing_operators` gives another one in its place. Nothing is stored on a module, so that models stay
picklable and free of tensors that nobody asked for, and the whole is ordinary Python that ``torch.compile`` and
``torch.export`` trace through.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from foveola.attention.algebra.operators import Operator

Emitted = list[tuple[nn.Module, Operator]]
"""Modules and the operators that they used, in the order of use."""


Replace = Callable[[nn.Module, Operator], Operator]
"""Given a module and the operator that it computed, returns the operator to apply."""


class _Listeners(threading.local):
    """The recordings and replacements of this thread, from the outermost on."""

    lists: tuple[Emitted, ...] = ()
    replacements: tuple[Replace, ...] = ()


_listeners = _Listeners()


def emit(module: nn.Module, operator: Operator) -> Operator:
    """Records that ``module`` uses ``operator`` in this forward pass.

    Returns:
        The operator to apply: the same one, unless it is replaced.
    """
    for replace in _listeners.replacements:
        operator = replace(module, operator)
    for emitted in _listeners.lists:
        emitted.append((module, operator))
    return operator


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


@contextmanager
def replacing_operators(replace: Replace) -> Iterator[None]:
    """Replaces the operators that mechanisms apply while the block runs.

    The maps that are recorded meanwhile are those of the replacements. Gates that weigh channels have no operator, and
    attention of other libraries computes its own: both stay as they are.

    Args:
        replace: Called with each mechanism and the operator that it computed; returns the operator to apply.

    Example:
        >>> import torch
        >>> from foveola.attention import FixedMask
        >>> from foveola.attention.algebra import Shared
        >>> mask = FixedMask(torch.full((12, 10), 0.5))
        >>> with replacing_operators(lambda module, operator: Shared(torch.ones(12, 10))):
        ...     mask(torch.full((2, 3, 12, 10), 4.0)).mean().item()
        4.0
        >>> mask(torch.full((2, 3, 12, 10), 4.0)).mean().item()
        2.0
    """
    before = _listeners.replacements
    _listeners.replacements = (*before, replace)
    try:
        yield
    finally:
        _listeners.replacements = before


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
