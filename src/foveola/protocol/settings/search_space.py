"""The settings that are tried: what a search space makes of a configuration.

A space says for some settings, by dotted key, which values there are: a `Grid` of values or a `Range`. The settings
declare in their annotations what is worth a try, see `foveola.foundation.settings.Searched`; a user can say otherwise.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from foveola.attention import ARMS
from foveola.foundation.errors import FoveolaError, unknown_name
from foveola.foundation.settings import Searched, searched_fields
from foveola.protocol.settings.configuration import RunConfiguration
from foveola.training import TrainingSettings

TRAINING = "training"
FIXED = ("keep", "criterion", "precision", "device")
"""Settings of training that no score on validation images can choose: they say how it is measured and where."""
WHERE = "the search space"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grid:
    """Values of a setting, each different."""

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """Returns the value at a share of the way through them, 0..1 (1 excluded)."""
        return self.values[math.floor(share * len(self.values))]


@dataclass(frozen=True)
class Range:
    """Numbers of a setting, between two that belong to it; whole ones if these are.

    Example:
        >>> Range(0.01, 1.0, log=True).at(0.5), [Range(1, 3).at(share) for share in (0.0, 0.5, 0.9)]
        (0.1, [1, 2, 3])
    """

    low: float
    high: float
    log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def at(self, share: float) -> float:
        """Returns the number at a share of the way, 0..1 (1 excluded)."""
        low, high = (self.low - 0.5, self.high + 0.5) if self.is_whole else (self.low, self.high)
        if self.log:
            value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            value = low + share * (high - low)
        value = float(f"{value:.6g}")  # what a person reads is what was tried
        return min(max(round(value), self.low), self.high) if self.is_whole else value


Space = dict[str, Grid | Range]
Declared = Literal["default", "paper"] | Mapping[str, Any] | None


def space_of(configuration: RunConfiguration, arm: str, declared: Declared = None) -> Space:
    """Returns which values there are for the settings of an arm, by dotted key; empty where nothing is searched.

    Keys of other arms are left out. An arm that is solved rather than trained has no validation score to be chosen by,
    and so nothing is searched.

    Args:
        configuration: What the arm is compared with.
        arm: Its name.
        declared: ``default`` for what the settings declare of themselves, ``paper`` for the grids of Xu et al. 2020
            (arXiv:2007.15897, section 4.2; its K = 62 is read as 64), or a list of values or ``{low, high, log}`` by
            dotted key; that of the configuration if none is given.

    Raises:
        FoveolaError: For an unknown key, a value that cannot be, no values, or a range that is none.

    Example:
        >>> configuration = RunConfiguration(data="digits", arms={"global": {}})
        >>> space_of(configuration, "global", "paper")["global.hidden"]
        Grid(values=(32, 64, 128, 256))
        >>> space_of(configuration, "global", {"training.lr": {"low": 0.001, "high": 0.1, "log": True}})
        {'training.lr': Range(low=0.001, high=0.1, log=True)}
    """
    declared = configuration.search.space if declared is None else declared
    if isinstance(declared, Mapping):
        _check_keys(declared, configuration)
    if declared is None or not ARMS[arm].trains:
        return {}
    if isinstance(declared, Mapping):
        own = {key: values for key, values in declared.items() if key.split(".")[0] in (TRAINING, arm)}
        return {key: _given(key, values, configuration) for key, values in own.items()}
    groups = ((TRAINING, TrainingSettings), (arm, ARMS[arm].settings))
    marks = {f"{name}.{field}": mark for name, group in groups for field, mark in searched_fields(group).items()}
    tried = {key: _declared(mark, declared) for key, mark in marks.items()}
    return {key: values for key, values in tried.items() if values is not None}


def candidates(configuration: RunConfiguration, arm: str) -> list[dict[str, Any]]:
    """Returns the settings of an arm that are tried under the configuration's protocol, the same at every call.

    A grid with at most ``search.trials`` points is tried whole, and so many points of a larger one, drawn with the seed
    of the split. Where there are ranges, the settings as they stand come first, and then points that fill the space
    evenly: the Halton sequence. Settings that cannot be together are left out.

    Raises:
        FoveolaError: If none of them can be together, or for what `space_of` raises it.
    """
    space, count = space_of(configuration, arm), configuration.search.trials
    if not space:
        return []
    if is_grid(space):
        numbers = grid_numbers(space, count, configuration.split_seed)
        return _possible([grid_point(space, number) for number in numbers], configuration)
    from scipy.stats import qmc

    sequence = qmc.Halton(len(space), scramble=False).fast_forward(1)  # its first point is a corner
    drawn = [_point(space, shares) for shares in sequence.random(count - 1)] if count > 1 else []
    points = [as_it_stands(space, configuration), *drawn]
    return _possible(list({json.dumps(point): point for point in points}.values()), configuration)


def _possible(points: list[dict[str, Any]], configuration: RunConfiguration) -> list[dict[str, Any]]:
    """Returns the points whose settings can be together, such as a cut-off epoch within the epochs."""
    possible, refused = [], None
    for point in points:
        try:
            configuration.changed(point)
        except FoveolaError as error:
            refused = error
            log.info("not tried: %s", error)
        else:
            possible.append(point)
    if refused is not None and not possible:
        raise refused
    return possible


def is_grid(space: Space) -> bool:
    """Whether a space has a number of points that can be counted."""
    return all(isinstance(values, Grid) for values in space.values())


def grid_numbers(space: Space, count: int | None, seed: int) -> list[int]:
    """Returns the numbers of the points of a grid that are tried, in ascending order.

    Args:
        space: The grid.
        count: How many at most; all if none is given.
        seed: Of the draw where there are more.

    Raises:
        FoveolaError: If all are asked for, and are more than anybody could try.
    """
    size = math.prod(len(values.values) for values in space.values() if isinstance(values, Grid))
    if count is None and size > 10_000:
        raise FoveolaError("at most 10,000 points", f"{size:,}", WHERE, "give --trials to draw some of them")
    if count is None or size <= count:
        return list(range(size))
    return sorted(np.random.default_rng(seed).permutation(size)[:count].tolist())


def grid_point(space: Space, number: int) -> dict[str, Any]:
    """Returns one point of a grid by its number; the last setting changes first.

    Example:
        >>> grid = {"training.lr": Grid((0.1, 0.2)), "global.hidden": Grid((32, 64, 128))}
        >>> grid_point(grid, 4)
        {'training.lr': 0.2, 'global.hidden': 64}
    """
    point = {}
    for key, values in reversed(space.items()):
        assert isinstance(values, Grid)
        number, place = divmod(number, len(values.values))
        point[key] = values.values[place]
    return dict(reversed(point.items()))


def as_it_stands(space: Space, configuration: RunConfiguration) -> dict[str, Any]:
    """Returns the values that the settings of a space have in a configuration."""
    return {key: value_in(configuration, key) for key in space}


def in_words(space: Space) -> dict[str, Any]:
    """Returns a space as it stands in YAML, which `space_of` takes."""
    return {key: list(values.values) if isinstance(values, Grid) else asdict(values) for key, values in space.items()}


def values_of(key: str, values: Any, configuration: RunConfiguration, where: str = WHERE) -> tuple[Any, ...]:
    """Returns the values of one setting, by any dotted key of a configuration, each once and as the setting keeps it.

    Raises:
        FoveolaError: If there is none, or one cannot be.
    """
    if not isinstance(values, list | tuple) or not values:
        raise FoveolaError("a list of values", repr(values), f"{where}, {key}", f"write it like {key}=1,2")
    kept = [value_in(configuration.changed({key: value}, where), key) for value in values]
    return tuple({json.dumps(value): value for value in kept}.values())


def value_in(configuration: RunConfiguration, key: str) -> Any:
    """Returns what a setting is in a configuration, by dotted key and in JSON's types; defaults of arms included."""
    value: Any = configuration.model_dump(mode="json")
    if (arm := key.split(".")[0]) in configuration.arms:
        value[arm] = ARMS[arm].configure(configuration.arms[arm]).model_dump(mode="json")
    for part in key.split("."):
        value = value[part]
    return value


def _point(space: Space, shares: np.ndarray) -> dict[str, Any]:
    return {key: values.at(float(share)) for (key, values), share in zip(space.items(), shares, strict=True)}


def _declared(mark: Searched, kind: str) -> Grid | Range | None:
    if kind == "paper":
        return Grid(mark.paper) if mark.paper else None
    if mark.low is not None and mark.high is not None:
        return Range(mark.low, mark.high, mark.log)
    return Grid(mark.choices) if mark.choices else None


def _given(key: str, values: Any, configuration: RunConfiguration) -> Grid | Range:
    if not isinstance(values, Mapping):
        return Grid(values_of(key, values, configuration))
    where, remedy = f"{WHERE}, {key}", f"write it like {key}=0.001:0.1 or {key}=0.001:0.1:log"
    if not {"low", "high"} <= set(values) <= {"low", "high", "log"}:
        raise FoveolaError("low, high and log", ", ".join(map(str, values)), where, remedy)
    ends = [value_in(configuration.changed({key: values[end]}, WHERE), key) for end in ("low", "high")]
    log = values.get("log", False)
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
        raise FoveolaError("a setting that is a number", f"the range {ends[0]} to {ends[1]}", where, "list its values")
    if not isinstance(log, bool) or not ends[0] < ends[1] or (log and ends[0] <= 0):
        got = f"{ends[0]} to {ends[1]}" + (", log" if log else "")
        raise FoveolaError("a low end below the high one, and above 0 on a log scale", got, where, remedy)
    return Range(ends[0], ends[1], log)


def _check_keys(declared: Mapping[str, Any], configuration: RunConfiguration) -> None:
    """Raises a ``FoveolaError`` for a key that is no setting of training or of an arm."""
    for key in declared:
        name = str(key).split(".")[0]
        if str(key) not in _known([name] if name in ARMS else []):
            raise unknown_name("setting", str(key), _known(configuration.arms), WHERE)


def _known(arms: Any) -> Iterator[str]:
    yield from (f"{TRAINING}.{name}" for name in TrainingSettings.model_fields if name not in FIXED)
    yield from (f"{arm}.{name}" for arm in arms for name in ARMS[arm].settings.model_fields)
