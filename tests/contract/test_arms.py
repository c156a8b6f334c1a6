"""What every arm with attention has to keep to; a new arm is tested here without being named."""

from __future__ import annotations

import pytest

from foveola.attention import ARMS
from foveola.contract import contract

TESTED = [name for name, arm in ARMS.items() if arm.attends]


def test_there_are_arms_with_masks_with_layers_and_with_networks() -> None:
    arms = [ARMS[name] for name in TESTED]
    for part in ("mask", "layer", "network"):
        assert any(getattr(arm, part) for arm in arms), part


@pytest.mark.parametrize(("name", "test"), [(name, test) for name in TESTED for test in contract(name)])
def test_every_arm_keeps_the_contract(name: str, test: str) -> None:
    assert contract(name)[test]() is None, "a check raises what is wrong, and returns nothing"
