"""The settings that are tried: what the search space makes of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from foveola.protocol.configuration import RunConfiguration


def read_space(written: Sequence[str]) -> str | dict[str, Any]:
    """Returns the search space that stands on the command line, as the configuration takes it.

    Args:
        written: ``default``, ``paper`` or a YAML file; or ``key=v1,v2`` and ``key=low:high[:log]``, any number of them.
    """
    if len(written) == 1 and "=" not in written[0]:
        return written[0]
    return {key: text.split(",") for key, _, text in (item.partition("=") for item in written)}


def candidates(configuration: RunConfiguration, arm: str) -> list[dict[str, Any]]:
    """Returns the settings of an arm that are tried, by dotted key; none where nothing is searched."""
    space = configuration.search.space
    if not isinstance(space, dict):
        return []
    own = {key: values for key, values in space.items() if key.split(".")[0] in (arm, "training")}
    grid = [dict(zip(own, values, strict=True)) for values in product(*own.values())] if own else []
    if len(grid) <= configuration.search.trials:
        return grid
    rng = np.random.default_rng(configuration.split_seed)
    return [grid[index] for index in sorted(rng.choice(len(grid), configuration.search.trials, replace=False))]
