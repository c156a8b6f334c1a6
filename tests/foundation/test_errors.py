from __future__ import annotations

import pickle

import pytest

from foveola.foundation.errors import FoveolaError, InputError, unknown_name


def test_the_message_is_one_sentence_of_four_parts() -> None:
    error = FoveolaError("an 8-bit image", "16 bits", "a.png", "convert it")
    assert str(error) == "expected an 8-bit image, got 16 bits, in a.png; convert it"
    assert (error.expected, error.got, error.where, error.remedy) == (
        "an 8-bit image",
        "16 bits",
        "a.png",
        "convert it",
    )


@pytest.mark.parametrize("kind", [FoveolaError, InputError])
def test_it_survives_the_way_between_processes(kind: type[FoveolaError]) -> None:
    error = kind("one", "two", "there", "mend it")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.remedy) == (str(error), "mend it")


@pytest.mark.parametrize(
    ("name", "known", "remedy"),
    [
        ("globl", ["plain", "global"], "did you mean 'global'?"),
        ("resnet1", ["resnet18", "resnet10", "vgg"], "did you mean 'resnet18' or 'resnet10'?"),
        ("zebra", ["plain", "global"], "choose one of global, plain"),
        ("zebra", [f"name{number}" for number in range(21)], "see `foveola list arms` for the 21 that there are"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(name: str, known: list[str], remedy: str) -> None:
    error = unknown_name("arm", name, known, "--arm")
    assert (error.expected, error.got, error.where) == ("a known arm", f"'{name}'", "--arm")
    assert error.remedy == remedy
