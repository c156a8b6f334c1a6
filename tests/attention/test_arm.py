"""Arms by name, and what they can be told."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from foveola.attention import ARMS, GlobalAttention, L1Mask, SigmoidMask, StochasticGates
from foveola.errors import FoveolaError

MASKS = {
    "l1": L1Mask, "l1-fair": L1Mask, "free-mask": SigmoidMask, "coarse-mask": SigmoidMask,
    "stochastic-gates": StochasticGates, "global": GlobalAttention,
}  # fmt: skip


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_is_found_under_its_own_name_and_says_what_it_is(name: str) -> None:
    arm = ARMS[name]
    assert arm.name == name
    assert arm.summary
    assert arm.configure({}) == arm.settings()


@pytest.mark.parametrize("name", MASKS)
def test_arms_make_their_masks(name: str) -> None:
    arm = ARMS[name]
    assert arm.mask is not None
    assert type(arm.mask(torch.rand(7, 3, 12, 10), arm.configure({}))) is MASKS[name]


def test_an_unknown_arm_is_answered_with_the_nearest() -> None:
    with pytest.raises(FoveolaError, match="expected a known arm, got 'globl', in --arm; did you mean 'global'"):
        ARMS["globl"]


def test_values_take_the_place_of_defaults() -> None:
    settings = ARMS["global"].configure({"hidden": "32", "penalty": 0.1})
    assert settings.model_dump() == ARMS["global"].settings().model_dump() | {"hidden": 32, "penalty": 0.1}


def test_the_published_l1_arm_learns_as_the_backbone_and_to_the_end_and_the_fair_one_by_itself() -> None:
    published, fair = ARMS["l1"].configure({}), ARMS["l1-fair"].configure({})
    assert (published.lr, published.weight_decay, published.freezes) == (None, None, False)
    assert fair.lr is not None
    assert (fair.weight_decay, fair.freezes) == (0, True)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("global", {"hiden": 3}, "got 'hiden', in the settings of arm 'global'; did you mean 'hidden'"),
        ("global", {"kernel": 4}, "expected an odd kernel, .* got 4, in the settings of arm 'global'.kernel"),
        ("global", {"last_kernel": 2}, "expected an odd kernel, .* got 2, .*last_kernel"),
        ("global", {"hidden_layers": 0}, "got 0, in the settings of arm 'global'.hidden_layers"),
        ("global", {"dim": 0}, "greater than or equal to 1, got 0, .*dim"),
        ("global", {"pixel_memory": 0}, "greater than 0, got 0, .*pixel_memory"),
        ("global", {"representation": "exat"}, "'auto', 'exact' or 'compressed', got 'exat'"),
        ("coarse-mask", {"grid": 0}, "got 0, .*grid"),
        ("stochastic-gates", {"sigma": 0}, "got 0, .*sigma"),
        ("l1", {"penalty": -1}, "got -1, .*penalty"),
        ("l1-fair", {"lr": "fast"}, "got 'fast', .*lr"),
        ("plain", {"penalty": 1}, "expected a known key, got 'penalty'"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(name: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        ARMS[name].configure(values)
