"""The contract: what every arm with attention inside keeps to, whoever wrote it.

A check is a function that takes a `Subject` and raises ``AssertionError`` with what is wrong. The checks are the public
functions of three modules: `inside` for layers and networks, `layer` and `network` for one of them; and of `export`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import partial
from types import ModuleType

from foveola.attention import ARMS
from foveola.contract import export, inside, layer, network
from foveola.contract.subject import Subject, layer_subject, network_subject

Check = Callable[[Subject], None]
logger = logging.getLogger(__name__)


def _checks(*modules: ModuleType) -> dict[str, Check]:
    """Returns the public functions that modules define, in the order of the files."""
    return {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    }


LAYER, NETWORK, EXPORT = _checks(inside, layer), _checks(inside, network), _checks(export)
ESSENTIAL = {
    function.__name__: function
    for function in (network.classifies_and_gives_its_maps, inside.applies_what_it_says, inside.keeps_samples_apart)
}
"""What a network with a backbone of its own is held to: it is too large for more."""


def contract(name: str) -> dict[str, Callable[[], None]]:
    """Returns what an arm has to keep to, each a function without arguments; nothing without attention inside.

    The layer of an arm that has one is put to the test by itself, and its network, with that layer inside, too.

    Raises:
        FoveolaError: If there is no such arm.

    Example:
        >>> contract("plain")
        {}
    """
    arm, tests = ARMS[name], dict[str, Callable[[], None]]()
    if arm.solve is not None:
        return tests
    if arm.layer is not None:
        tests |= {f"the layer {check}": partial(_run, run, layer_subject, name) for check, run in LAYER.items()}
    if arm.layer is not None or arm.network is not None:
        checks = NETWORK if arm.backbone is None else ESSENTIAL
        tests |= {f"the network {check}": partial(_run, run, network_subject, name) for check, run in checks.items()}
    return tests


def export_contract(name: str) -> dict[str, Callable[[], None]]:
    """Returns the same for what is compiled and exported: of the layer where an arm has one, or else of the network.

    They need the packages ``onnx``, ``onnxscript`` and ``onnxruntime``.

    Raises:
        FoveolaError: If there is no such arm.
    """
    if not contract(name):
        return {}
    part, subject = ("layer", layer_subject) if ARMS[name].layer is not None else ("network", network_subject)
    return {f"the {part} {check}": partial(_run, run, subject, name) for check, run in EXPORT.items()}


def check(name: str) -> None:
    """Holds an arm to its contract.

    Raises:
        AssertionError: With all that it breaks.
        FoveolaError: If there is no such arm.

    Example:
        >>> check("simam")
    """
    broken = []
    for test, run in contract(name).items():
        try:
            run()
        except AssertionError as error:
            broken.append(f"{test.replace('_', ' ')}: {error}")
        else:
            logger.info("%s: %s", name, test.replace("_", " "))
    if broken:
        raise AssertionError(f"what is not so of arm '{name}': " + "; ".join(broken))


def _run(run: Check, subject: Callable[[str], Subject], name: str) -> None:
    run(subject(name))
