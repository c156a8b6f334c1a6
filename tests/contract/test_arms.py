"""What every arm with attention has to keep to; a new arm is tested here without being named."""

from __future__ import annotations

import json

import forked
import pytest

from foveola.attention import ARMS
from foveola.contract import contract, export_contract

TESTED = [name for name, arm in ARMS.items() if arm.attends]
EXPORT = """
import json, sys
from foveola.attention import ARMS, Arm, LayerSettings, Mechanism
from foveola.attention.algebra import Pointwise
from foveola.contract import export_contract

class Branching(Mechanism):
    def operator(self, features):
        weights = features.mean(1, keepdim=True).sigmoid()
        return Pointwise(weights if features.mean().item() > 0 else 1 - weights)

ARMS.add(Arm("branching", "not traceable", LayerSettings, "pointwise", layer=lambda *_: Branching()))
broken = {}
for name in (*sys.argv[1:], "branching"):
    broken[name] = {}
    for test, run in export_contract(name).items():
        try:
            run()
        except Exception as error:
            broken[name][test] = f"{type(error).__name__}: {error}"
print(json.dumps(broken))
"""


def test_there_are_arms_with_masks_with_layers_and_with_networks() -> None:
    arms = [ARMS[name] for name in TESTED]
    for part in ("mask", "layer", "network"):
        assert any(getattr(arm, part) for arm in arms), part


@pytest.mark.parametrize(("name", "test"), [(name, test) for name in TESTED for test in contract(name)])
def test_every_arm_keeps_the_contract(name: str, test: str) -> None:
    assert contract(name)[test]() is None, "a check raises what is wrong, and returns nothing"


EXPORTED = [name for name in TESTED if ARMS[name].backbone is None]  # one with its own is too large to do it here


@pytest.fixture(scope="module")
def broken_exports() -> dict[str, dict[str, str]]:
    """What each arm breaks of its contract on export; found in one process that does not check types as it runs."""
    answer = forked.script(EXPORT, *EXPORTED)
    assert answer.returncode == 0, answer.stderr
    broken: dict[str, dict[str, str]] = json.loads(answer.stdout.splitlines()[-1])
    return broken


@pytest.mark.parametrize("name", EXPORTED)
def test_compiled_and_exported_it_is_the_same(name: str, broken_exports: dict[str, dict[str, str]]) -> None:
    assert len(export_contract(name)) == 2
    assert broken_exports[name] == {}


def test_what_cannot_be_traced_is_seen(broken_exports: dict[str, dict[str, str]]) -> None:
    assert len(broken_exports["branching"]) == 2
