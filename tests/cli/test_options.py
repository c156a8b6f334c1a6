from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from foveola.cli import compare, fit
from foveola.cli.options import KEYS, given
from foveola.cli.options import executor as executor_of
from foveola.execution import Executor, InProcess, LocalProcesses, RayCluster
from foveola.foundation.errors import FoveolaError
from foveola.protocol import RunConfiguration, read_configuration

NOT_SETTINGS = {"assignments", "config", "out", "workers", "threads", "cluster", "dry_run"}


@pytest.mark.parametrize("module", [compare, fit])
def test_every_option_sets_a_key(module: Any) -> None:
    assert set(inspect.signature(module.command).parameters) - NOT_SETTINGS <= set(KEYS)


def test_every_option_is_used() -> None:
    assert set(inspect.signature(compare.command).parameters) - NOT_SETTINGS == set(KEYS)


@pytest.mark.parametrize("key", [key for key in KEYS.values() if not key.startswith("global.")])
def test_every_key_is_one_of_the_configuration(key: str) -> None:
    group: type[BaseModel] = RunConfiguration
    *groups, last = key.split(".")
    for name in groups:
        inner = group.model_fields[name].annotation
        assert isinstance(inner, type)
        group = inner
    assert last in group.model_fields


def test_what_was_not_given_is_left_out() -> None:
    assert given(dict.fromkeys(KEYS) | {"config": Path("x"), "out": Path("y"), "assignments": ["z"]}) == {}
    assert given({"arms": [], "pretrained": False, "epochs": 0}) == {"backbone.pretrained": False, "training.epochs": 0}


@pytest.mark.parametrize(
    ("options", "executor"),
    [
        ((None, None, None), InProcess()),
        ((1, 3, None), InProcess(3)),
        ((2, None, None), LocalProcesses(2)),
        ((2, 1, "auto"), RayCluster("auto", workers=2, threads=1)),
    ],
)
def test_fits_are_made_where_it_was_asked(options: tuple[Any, Any, Any], executor: Executor) -> None:
    assert executor_of(*options) == executor


def test_sizes_ask_for_the_hold_out_set() -> None:
    chosen = {"data": "d", "arms": ["plain"], **given({"train_sizes": "50, 100"})}
    configuration = read_configuration(options=chosen)
    assert (configuration.train_sizes, configuration.protocol) == ((50, 100), "holdout")
    with pytest.raises(FoveolaError, match="the protocol holdout for a learning curve, not sound"):
        read_configuration(options={**chosen, "protocol": "sound"})


def test_arms_come_first_and_bins_are_parted() -> None:
    options = {"pixel_memory": 2.0, "bins": "-12, -6", "weights": Path("a/b.pth"), "arms": ["global"], "data": "d.csv"}
    chosen = given(options)
    assert next(iter(chosen)) == "arms"
    assert chosen["bins"] == ["-12", "-6"]
    configuration = read_configuration(options=chosen)
    assert configuration.bins == (-12.0, -6.0)
    assert configuration.backbone.weights == Path("a/b.pth")
    assert configuration.arms == {"global": {"pixel_memory": 2.0}}
