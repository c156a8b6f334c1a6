"""The arm of a second observer."""

from __future__ import annotations

import numpy as np
import pytest

from foveola import AttentionClassifier
from foveola.attention import ARMS
from foveola.foundation.errors import FoveolaError
from foveola.models.observer import HumanSettings

NAMES = ("anna", "bert", "2")


@pytest.mark.parametrize(
    ("observer", "place"), [(2, 1), (3, 2), ("bert", 1), ("2", 2)], ids=["second", "third", "name", "number as name"]
)
def test_an_observer_is_named_or_counted(observer: int | str, place: int) -> None:
    assert HumanSettings(observer=observer).place(NAMES, "the masks") == place


@pytest.mark.parametrize("observer", [1, 4, 0, -1, "anna", "carl", ""])
def test_the_reference_and_strangers_are_refused(observer: int | str) -> None:
    with pytest.raises(FoveolaError) as caught:
        HumanSettings(observer=observer).place(NAMES, "the masks")
    assert str(caught.value).replace("\n", " ") == (
        f"expected an observer beside the reference 'anna', got '{observer}' of 3 (anna, bert, 2), in the masks; "
        "leave out the arm human, or name another with --set human.observer=NAME"
    )


def test_the_only_observer_has_no_second() -> None:
    with pytest.raises(FoveolaError, match=r"beside the reference 'mask', got '2' of 1 \(mask\)"):
        HumanSettings().place(("mask",), "the masks")


def test_a_person_is_not_trained_and_has_no_network() -> None:
    arm = ARMS["human"]
    assert (arm.human, arm.trains, arm.segments, arm.operator) == (True, False, False, "none")
    assert [arm.mask, arm.layer, arm.network, arm.solve, arm.backbone] == [None] * 5
    assert arm.configure({"observer": "bert"}) == HumanSettings(observer="bert")
    with pytest.raises(FoveolaError, match="because nothing is trained by gradients"):
        arm.configure({"lr": 0.1})


def test_a_person_is_no_classifier() -> None:
    images, labels = np.random.default_rng(0).random((6, 12, 10)), np.arange(6) % 2
    with pytest.raises(FoveolaError, match="an arm with a network, got 'human', a person, in --arm"):
        AttentionClassifier("human", epochs=1).fit(images, labels)
