"""The arm ``human``: whose masks are scored."""

from __future__ import annotations

import numpy as np
import pytest

from foveola.attention import ARMS
from foveola.classifier import AttentionClassifier
from foveola.errors import FoveolaError
from foveola.models.observer import HumanSettings

OBSERVERS = ("anna", "bert", "cleo")


@pytest.mark.parametrize(("observer", "place"), [(2, 1), (3, 2), ("bert", 1), ("cleo", 2)])
def test_an_observer_is_named_or_numbered(observer: int | str, place: int) -> None:
    assert HumanSettings(observer=observer).place(OBSERVERS, "eyes") == place


@pytest.mark.parametrize("observer", [1, 0, 4, -1, "anna", "dora"])
def test_the_reference_and_strangers_are_refused(observer: int | str) -> None:
    with pytest.raises(FoveolaError, match=r"an observer beside the reference 'anna', got .* of 3 .* in eyes"):
        HumanSettings(observer=observer).place(OBSERVERS, "eyes")


def test_nothing_is_trained() -> None:
    assert not ARMS["human"].trains
    with pytest.raises(FoveolaError, match="nothing is trained"):
        ARMS["human"].configure({"lr": 0.1})


def test_a_person_has_no_network_and_is_no_classifier() -> None:
    images, labels = np.random.default_rng(0).random((6, 12, 10)), np.arange(6) % 2
    with pytest.raises(FoveolaError, match="an arm with a network, got 'human', a person"):
        AttentionClassifier("human", epochs=1).fit(images, labels)
