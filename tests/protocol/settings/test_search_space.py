from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from foveola.attention import ARMS
from foveola.foundation.errors import FoveolaError
from foveola.protocol import RunConfiguration, read_configuration
from foveola.protocol.settings.search_space import (
    Grid,
    Range,
    Space,
    candidates,
    grid_numbers,
    grid_point,
    in_words,
    space_of,
)


def configuration(*arms: str, **search: Any) -> RunConfiguration:
    own = {name: {} for name in arms or ("global",)}
    return RunConfiguration(data="digits", arms=own, search=search)


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        (
            "global",
            {
                "training.weight_decay": {1e-3, 1e-4, 1e-5},
                "global.hidden": {32, 64, 128, 256},
                "global.penalty": {0.1, 0.01, 0.001, 0.0001},
            },
        ),
        ("l1", {"training.weight_decay": {1e-3, 1e-4, 1e-5}, "l1.penalty": {1e5, 1e4, 1e3, 1e2, 10.0, 1.0}}),
        ("plain", {"training.weight_decay": {1e-3, 1e-4, 1e-5}}),
    ],
)
def test_paper_is_the_product_of_its_grids_each_point_once(arm: str, expected: dict[str, set[Any]]) -> None:
    space = space_of(configuration(arm), arm, "paper")
    points = [grid_point(space, number) for number in grid_numbers(space, None, 0)]
    wanted = {tuple(sorted(zip(expected, values, strict=True))) for values in itertools.product(*expected.values())}
    assert {tuple(sorted(point.items())) for point in points} == wanted
    assert len(points) == len(wanted) == {"global": 48, "l1": 18, "plain": 3}[arm]


@pytest.mark.parametrize("arm", ARMS)
def test_every_declared_value_can_be(arm: str) -> None:
    """Each end and each choice, alone and as the configuration takes it."""
    started = configuration(arm)
    for declared in ("default", "paper"):
        space = space_of(started, arm, declared)  # type: ignore[arg-type]
        assert space_of(started, arm, in_words(space)) == space
        assert (not space) == (not ARMS[arm].trains)
        for key, values in space.items():
            for value in values.values if isinstance(values, Grid) else (values.low, values.high):
                assert started.changed({key: value}).training.batch_size == 32


def test_keys_of_other_arms_do_not_apply() -> None:
    declared = {"global.hidden": [8, 4], "l1.penalty": [1.0], "training.lr": [0.1]}
    started = configuration("plain", "global", "l1", space=declared)
    assert list(space_of(started, "plain")) == ["training.lr"]
    assert list(space_of(started, "global")) == ["global.hidden", "training.lr"]
    assert space_of(started, "l1")["l1.penalty"] == Grid((1.0,))


def test_values_are_as_the_setting_keeps_them_each_once() -> None:
    space = space_of(configuration(), "global", {"training.lr": ["1e-3", 0.001, "0.01"], "global.hidden": ["4", 8]})
    assert space == {"training.lr": Grid((0.001, 0.01)), "global.hidden": Grid((4, 8))}
    whole = space_of(configuration(), "global", {"global.hidden": {"low": 2, "high": "9"}})["global.hidden"]
    broken = space_of(configuration(), "global", {"training.lr": {"low": 1, "high": 2}})["training.lr"]
    assert isinstance(whole, Range)
    assert isinstance(broken, Range)
    assert (whole.is_whole, broken.is_whole) == (True, False)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"global.hiden": [8]}, "expected a known setting, got 'global.hiden', .* did you mean 'global.hidden'"),
        ({"training.learning_rate": [1]}, "expected a known setting, got 'training.learning_rate'"),
        ({"training.criterion": ["loss"]}, "expected a known setting, got 'training.criterion'"),
        ({"backbone.name": ["small-cnn"]}, "expected a known setting, got 'backbone.name'"),
        ({"training.lr": []}, r"expected a list of values, got \[\], in the search space, training.lr; write it like"),
        ({"training.lr": 0.1}, "expected a list of values, got 0.1"),
        ({"training.lr": [-1]}, "greater than 0, got -1"),
        ({"global.kernel": [3, 4]}, "an odd kernel"),
        ({"training.lr": {"low": 0.1, "high": 0.01}}, "a low end below the high one.* got 0.1 to 0.01"),
        ({"global.penalty": {"low": 0, "high": 1, "log": True}}, "above 0 on a log scale, got 0.0 to 1.0, log"),
        ({"global.penalty": {"low": 0.1, "high": 1, "log": "yes"}}, "above 0 on a log scale"),
        ({"training.lr": {"low": 0.1}}, "expected low, high and log, got low"),
        ({"training.lr": {"low": 0.1, "high": 1, "step": 2}}, "expected low, high and log, got low, high, step"),
        ({"global.dense": {"low": False, "high": True}}, "a setting that is a number"),
        ({"training.schedule": {"low": "constant", "high": "cosine"}}, "a setting that is a number"),
    ],
)
def test_what_is_no_space_is_said(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        space_of(configuration(), "global", declared)


def test_a_small_grid_is_tried_whole_and_a_large_one_in_part() -> None:
    values = {"training.lr": [0.1, 0.2, 0.3], "global.hidden": [4, 5]}
    whole = candidates(configuration(space=values, trials=6), "global")
    assert whole == [{"training.lr": lr, "global.hidden": hidden} for lr in (0.1, 0.2, 0.3) for hidden in (4, 5)]
    part = candidates(configuration(space=values, trials=4), "global")
    assert len(part) == 4
    assert [point for point in whole if point in part] == part
    assert candidates(configuration(space=values, trials=4), "global") == part


def test_a_grid_nobody_could_write_down_is_drawn_from() -> None:
    values = {f"global.{name}": list(range(1, 22, 2)) for name in ("hidden", "kernel", "last_kernel", "dim")}
    drawn = candidates(configuration(space=values, trials=5), "global")
    assert len({json.dumps(point) for point in drawn}) == 5
    space = space_of(configuration(), "global", values)
    with pytest.raises(FoveolaError, match="at most 10,000 points, got 14,641"):
        grid_numbers(space, None, 0)


def test_ranges_are_filled_evenly_after_the_settings_as_they_stand() -> None:
    started = configuration(space="default", trials=9).changed({"global.hidden": 77})
    points = candidates(started, "global")
    assert points[0] == {
        "training.lr": 1e-4,
        "training.weight_decay": 1e-4,
        "global.hidden": 77,
        "global.penalty": 0.01,
    }
    assert points == candidates(started, "global")
    assert len(points) == 9
    assert all(1e-5 <= point["training.lr"] <= 1e-2 for point in points)
    below = sum(point["training.lr"] < 10**-3.5 for point in points[1:])
    assert below == 4, "half of the points are in the lower half of a log range"
    assert all(isinstance(point["global.hidden"], int) for point in points)
    assert candidates(configuration("plain", space="default", trials=1), "plain") == [
        {"training.lr": 1e-4, "training.weight_decay": 1e-4}
    ]


def test_equal_points_are_tried_once() -> None:
    points = candidates(configuration(space={"global.hidden": {"low": 127, "high": 129}}, trials=20), "global")
    assert sorted(point["global.hidden"] for point in points) == [127, 128, 129]
    assert points[0] == {"global.hidden": 128}


def test_nothing_is_tried_where_nothing_is_searched() -> None:
    assert candidates(configuration(), "global") == []
    assert candidates(configuration("majority", space="default"), "majority") == []


def test_points_are_numbered_as_a_product() -> None:
    space: Space = {
        "training.lr": Grid((0.1, 0.2)),
        "global.hidden": Grid((1, 2, 3)),
        "global.dense": Grid((True, False)),
    }
    grids = [grid.values for grid in space.values() if isinstance(grid, Grid)]
    listed = [dict(zip(space, values, strict=True)) for values in itertools.product(*grids)]
    assert [grid_point(space, number) for number in range(12)] == listed


@pytest.mark.parametrize("log", [False, True])
def test_whole_ranges_have_all_their_numbers(log: bool) -> None:
    drawn = [Range(2, 5, log).at(share / 1000) for share in range(1000)]
    assert set(drawn) == {2, 3, 4, 5}
    assert all(isinstance(value, int) for value in drawn)
    assert drawn == sorted(drawn)


def test_settings_that_cannot_be_together_are_not_tried() -> None:
    space = {"training.epochs": [40, 60], "training.cutoff": [10, 50]}
    options = {"data": "d", "arms": ["global"], "protocol": "sound", "training.epochs": 60, "search.space": space}
    points = candidates(read_configuration(options=options), "global")
    assert [tuple(point.values()) for point in points] == [(40, 10), (60, 10), (60, 50)]
    impossible = {**options, "search.space": {"training.epochs": [4], "training.cutoff": [50, 60]}}
    with pytest.raises(FoveolaError, match="a cut-off within the 4 epochs"):
        candidates(read_configuration(options=impossible), "global")


def test_more_trials_of_a_grid_go_on_with_the_fewer() -> None:
    space = {"training.lr": Grid(tuple(range(1, 13))), "global.hidden": Grid((32, 64, 128))}
    few, more = (set(grid_numbers(space, count, 3)) for count in (10, 20))
    assert len(few) == 10
    assert few < more
