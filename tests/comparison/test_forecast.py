"""What would be done is what is done, and nothing is done to say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from foveola.comparison.compare import load_data
from foveola.comparison.forecast import PURPOSES, forecast
from foveola.protocol import RunConfiguration, plan

Configure = Callable[..., RunConfiguration]


def test_every_fit_is_counted_with_its_images(configure: Configure, tmp_path: Path) -> None:
    options = {"protocol": "sound", "folds": 2, "repeats": 2, "search.space": {"training.lr": [0.1, 0.2]}}
    configuration, data, _ = load_data(configure(["plain", "majority"], {**options, "val_fraction": 0.3}))
    expected = forecast(configuration, data)
    rows = expected.fits.set_index(["arm", "purpose"])
    assert rows["fits"].to_dict() == {
        ("plain", PURPOSES["trial"]): 8,
        ("plain", PURPOSES["test"]): 4,
        ("majority", PURPOSES["test"]): 4,
    }
    assert rows.loc[("plain", PURPOSES["trial"]), "test"] == "0"
    roles = data.splits.groupby(["fold", "role"]).size().unstack()
    for column, role in (("train", "train"), ("validate", "val"), ("test", "test")):
        low, high = roles[role].min(), roles[role].max()
        shown = f"{low}" if low == high else f"{low}-{high}"
        assert rows.loc[("plain", PURPOSES["test"]), column] == shown
    assert rows.loc["plain"]["seconds"].gt(0).all()
    assert pd.isna(rows.loc[("majority", PURPOSES["test"]), "seconds"])
    assert expected.seconds == pytest.approx(rows.loc["plain"]["seconds"].sum())
    assert not list(tmp_path.iterdir())


def test_the_paper_says_that_it_looks_at_the_test_images(configure: Configure) -> None:
    configuration, data, _ = load_data(configure(["plain"], {"protocol": "paper", "folds": 3}))
    rows = forecast(configuration, data).fits
    assert rows["purpose"].tolist() == [PURPOSES["rank"], PURPOSES["watch"]]
    assert rows["fits"].tolist() == [3, 1]
    assert rows["test"].tolist() == ["0", "10"]


def test_what_is_finished_is_left_out(configure: Configure, tmp_path: Path) -> None:
    configuration, data, _ = load_data(configure(["plain", "majority"], {"seeds": 3}))
    fits = plan(configuration, data.splits)
    done = tmp_path / "fits" / fits[0].name / "done"
    done.parent.mkdir(parents=True)
    done.write_text("{}")
    assert forecast(configuration, data, tmp_path).fits["fits"].tolist() == [3, 2]
