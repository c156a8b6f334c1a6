"""A comparison whose fits take long enough to be stopped, killed or lost in the middle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from foveola.comparison import compare
from foveola.protocol import RunConfiguration

Configure = Callable[..., RunConfiguration]


@pytest.fixture(scope="session")
def slow_configuration(configure: Configure) -> RunConfiguration:
    """Three arms and two seeds, about a second a fit."""
    return configure(["plain", "l1-fair", "global"], {"seeds": 2, "training.epochs": 25, "training.cutoff": 14})


@pytest.fixture(scope="session")
def slow_finished(slow_configuration: RunConfiguration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder that one process leaves when it is not disturbed; to be read only."""
    folder = tmp_path_factory.mktemp("slow") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        compare(slow_configuration, folder)
    return folder
