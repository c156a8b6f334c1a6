from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from foveola.attention import ARMS
from foveola.data import SOURCES
from foveola.models import backbone_names
from foveola.models.building.backbones import segmenter_names

ROWS = ["none", "shared", "pointwise", "channels", "pooling", "self-attention", "sum"]
ORDERED = sorted(ARMS.values(), key=lambda arm: (not arm.trains, ROWS.index(arm.operator)))
MEMBERS = {
    "data": tuple(sorted(SOURCES)),
    "arms": tuple(arm.name for arm in ORDERED),
    "backbones": (*segmenter_names(), *backbone_names()),
}


@pytest.mark.parametrize("family", MEMBERS)
def test_every_member_is_listed(foveola: Callable[..., Any], family: str) -> None:
    answer = foveola("list", family)
    assert (answer.code, answer.err) == (0, "")
    assert [line.split()[0] for line in answer.out.splitlines()] == list(MEMBERS[family])


@pytest.mark.parametrize("family", MEMBERS)
def test_machines_can_read_it(foveola: Callable[..., Any], family: str) -> None:
    rows = json.loads(foveola("list", family, "--json").out)
    assert tuple(rows) == MEMBERS[family]
    assert family == "backbones" or all(rows.values())


def test_attention_is_listed_in_the_order_of_the_table_of_operators(foveola: Callable[..., Any]) -> None:
    rows = json.loads(foveola("list", "attention", "--json").out)
    assert set(rows) == {name for name, arm in ARMS.items() if arm.trains}
    operators = [row["operator"] for row in rows.values()]
    assert operators == sorted(operators, key=ROWS.index)
    assert rows["plain"] == {"operator": "none", "acts": "nowhere", "summary": ARMS["plain"].summary}
    assert rows["global"] == {"operator": "shared", "acts": "input mask", "summary": ARMS["global"].summary}
    for name, row in rows.items():
        inside = ARMS[name].layer is not None or (ARMS[name].network is not None and ARMS[name].backbone is None)
        assert (row["acts"] == "inside") == (inside and row["operator"] != "none"), name
    heading, *lines = foveola("list", "attention").out.splitlines()
    assert heading.split() == ["arm", "A", "acts"]
    assert [line.split()[:2] for line in lines] == [[name, row["operator"]] for name, row in rows.items()]


def test_only_what_matches(foveola: Callable[..., Any]) -> None:
    rows = json.loads(foveola("list", "backbones", "--match", "resnet1", "--json").out)
    assert {"resnet18", "resnet101"} <= set(rows)
    assert all("resnet1" in name for name in rows)
    lines = foveola("list", "arms", "--match", "mask").out.splitlines()
    assert [line.split()[0] for line in lines] == [name for name in MEMBERS["arms"] if "mask" in name]
    assert json.loads(foveola("list", "data", "--match", "zebra", "--json").out) == {}


def test_what_is_said_of_a_source_is_printed_as_it_stands(foveola: Callable[..., Any]) -> None:
    """Square brackets are no markup."""
    out = foveola("list", "data").out
    assert all(source.usage in " ".join(out.split()) for source in SOURCES.values())
