"""Every arm with attention is the same compiled, exported and in ONNX; a new arm is tested here without being named."""

from __future__ import annotations

import json

import forked
import pytest

from foveola.attention import ARMS
from foveola.contract import export_contract

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


EXPORTED = [name for name, arm in ARMS.items() if arm.attends and arm.backbone is None]  # the others are too large


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
