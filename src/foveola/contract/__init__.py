"""The contract: what everything with attention keeps to, whoever wrote it.

A check is a function that takes a `Subject` and raises ``AssertionError`` with what is wrong. The checks are the public
functions of five modules: `inside` for everything, `front` for masks in front of a network, `layer` for layers,
`network` for networks, and `export`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from foveola.contract import export, front, inside, layer, network
from foveola.contract.parts import Part, parts_of
from foveola.foundation.errors import FoveolaError

Check = Callable[[Any], None]
Tested = str | type[nn.Module] | nn.Module
"""The name of an arm, the class of a mask or a layer, or a module with attention."""

logger = logging.getLogger(__name__)


def _checks(*modules: ModuleType) -> dict[str, Check]:
    """Returns the public functions that modules define, in the order of the files."""
    return {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    }


MASK, LAYER, NETWORK, EXPORT = _checks(inside, front), _checks(inside, layer), _checks(inside, network), _checks(export)
CHECKS = {"mask": MASK, "layer": LAYER, "network": NETWORK}
ESSENTIAL = {
    function.__name__: function
    for function in (
        network.classifies,
        network.gives_its_maps,
        inside.applies_what_it_says,
        inside.keeps_samples_apart,
    )
}
"""What a network with a backbone of its own is held to: it is too large for more."""
UNKNOWN = {
    "class": {"is_the_operator_it_is_said_to_be"},
    "module": {
        "is_the_operator_it_is_said_to_be",
        "is_made_as_timm_makes_it",
        "is_the_same_from_batches",
        "learns_from_each_position_of_the_images",
        "classifies",
    },
}
"""Checks of what only an arm says of itself, or only a class shows when it is made anew."""


def contract(
    tested: Tested, *, settings: Mapping[str, Any] | None = None, inputs: Tensor | None = None
) -> dict[str, Callable[[], None]]:
    """Returns what an arm, a class or a module has to keep to, each a function without arguments.

    The mask of an arm is put to the test by itself; so is its layer, and its network with that layer inside.

    Args:
        tested: The name of an arm; the class of a mask or of a layer, which is made with a number of channels; or a
            module, of which copies are tested.
        settings: Of the arm; its defaults if none are given.
        inputs: Features or images ``B x C x H x W`` to try a module with, no two sizes equal where it can be chosen;
            found by trying if none are given.

    Raises:
        FoveolaError: If there is no such arm, nothing with attention in it, or no inputs that a module takes.

    Example:
        >>> len(contract("global")) > 15, "the mask freezes_to_the_map_of_the_moment" in contract("global")
        (True, True)
        >>> contract("plain")
        Traceback (most recent call last):
        foveola.foundation.errors.FoveolaError: expected something with attention, got arm 'plain', which has none, ...
    """
    tests = dict[str, Callable[[], None]]()
    for part in _parts(tested, settings, inputs):
        checks = ESSENTIAL if part.source == "own backbone" else CHECKS[part.kind]
        asked = {name: run for name, run in checks.items() if name not in UNKNOWN.get(part.source, ())}
        tests |= {f"the {part.kind} {name}": partial(_run, run, part) for name, run in asked.items()}
    return tests


def export_contract(
    tested: Tested, *, settings: Mapping[str, Any] | None = None, inputs: Tensor | None = None
) -> dict[str, Callable[[], None]]:
    """Returns the same for what is compiled and exported: of the mask or layer of an arm, or else of its network.

    They need the packages ``onnx``, ``onnxscript`` and ``onnxruntime``.

    Args:
        tested: As in `contract`.
        settings: As in `contract`.
        inputs: As in `contract`.

    Raises:
        FoveolaError: As `contract` does.
    """
    part, *_ = _parts(tested, settings, inputs)
    return {f"the {part.kind} {name}": partial(_run, run, part) for name, run in EXPORT.items()}


def check(tested: Tested, *, settings: Mapping[str, Any] | None = None, inputs: Tensor | None = None) -> None:
    """Holds an arm, a class or a module to the contract.

    Args:
        tested: As in `contract`.
        settings: As in `contract`.
        inputs: As in `contract`.

    Raises:
        AssertionError: With all that it breaks.
        FoveolaError: As `contract` does.

    Example:
        >>> from foveola.attention import Cbam, L1Mask, SimAM
        >>> check("simam")
        >>> check(SimAM)
        >>> check(Cbam(8))
        >>> check(L1Mask)
    """
    broken, called = [], _name(tested)
    for test, run in contract(tested, settings=settings, inputs=inputs).items():
        try:
            run()
        except AssertionError as error:
            broken.append(f"{test.replace('_', ' ')}: {error}")
        except Exception as error:
            broken.append(f"{test.replace('_', ' ')}: it fails ({type(error).__name__}: {error})")
        else:
            logger.info("%s: %s", called, test.replace("_", " "))
    if broken:
        raise AssertionError(f"what is not so of {called}: " + "; ".join(broken))


def _parts(tested: Tested, settings: Mapping[str, Any] | None, inputs: Tensor | None) -> list[Part]:
    if not isinstance(tested, str | type | nn.Module):
        raise FoveolaError(
            "the name of an arm, a class or a module",
            repr(tested),
            "the contract",
            "give one of them",
        )
    with torch.random.fork_rng(devices=()):
        parts = parts_of(tested, settings, inputs)
    if not parts:
        raise FoveolaError(
            "something with attention",
            f"{_name(tested)}, which has none",
            "the contract",
            "give the name of another arm, the class of a mask or layer, or a module that holds one",
        )
    return parts


def _name(tested: Tested) -> str:
    if isinstance(tested, str):
        return f"arm '{tested}'"
    return f"class {tested.__name__}" if isinstance(tested, type) else f"module {type(tested).__name__}"


def _run(run: Check, part: Part) -> None:
    """Runs one check; PyTorch's global generator is left as it was."""
    with torch.random.fork_rng(devices=()):
        run(part.subject())
