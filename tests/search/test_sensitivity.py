from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from foveola.foundation.errors import FoveolaError
from foveola.protocol import RunConfiguration
from foveola.search import Sweep, published, sensitivity, sweep
from foveola.search.sensitivity import run_name

Configure = Callable[..., RunConfiguration]
VARY: dict[str, Any] = {"global.hidden": [7, 3], "training.schedule": ["constant"]}


@pytest.fixture(scope="module")
def started(configure: Configure) -> RunConfiguration:
    """Two seeds of two arms on one test set; K is 5."""
    made = configure("global", {"protocol": "holdout", "seeds": 2, "training.epochs": 1})
    return made.model_copy(update={"arms": {"majority": {}, **made.arms}})


@pytest.fixture(scope="module")
def swept(started: RunConfiguration, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """A finished sweep; to be read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        for name in ("map_picture", "before_after_picture", "arms_picture"):
            patch.setattr(f"foveola.reporting.cohort_maps.{name}", lambda *_, **__: None)
        return sweep(started, tmp_path_factory.mktemp("swept") / "sweep", VARY)


def test_every_value_is_a_run_and_the_base_is_shared(swept: Sweep) -> None:
    runs = {path.parent.name for path in swept.folder.glob("*/results.csv")}
    assert runs == {"base", "global.hidden=3", "global.hidden=7", "training.schedule=constant"}
    fits = {run: {path.name for path in (swept.folder / run / "fits").iterdir()} for run in runs}
    assert fits["base"] == fits["training.schedule=constant"] == {"majority", "global"}
    assert fits["global.hidden=3"] == {"global"}, "what does not have the setting is not fitted anew"


def test_the_table_has_every_value_in_order(swept: Sweep) -> None:
    table = swept.table[swept.table["metric"] == "macro_auc"]
    assert table[["setting", "value", "is_base", "arm"]].to_numpy().tolist() == [
        ["global.hidden", 3, False, "global"],
        ["global.hidden", 5, True, "global"],
        ["global.hidden", 7, False, "global"],
        ["training.schedule", "constant", False, "majority"],
        ["training.schedule", "constant", False, "global"],
        ["training.schedule", "cosine", True, "majority"],
        ["training.schedule", "cosine", True, "global"],
    ]
    written = pd.read_csv(swept.folder / "sweep.csv")
    assert list(written) == ["setting", "value", "is_base", "arm", "metric", "mean", "ci_low", "ci_high", "fits"]
    assert len(written) == len(swept.table)


def test_the_numbers_follow_from_the_results_of_the_runs(swept: Sweep) -> None:
    """On one test set: mean over seeds, and the t-interval over them, by hand."""
    table = swept.table.set_index(["setting", "value", "arm", "metric"])
    for value, run in ((3, "global.hidden=3"), (5, "base"), (7, "global.hidden=7")):
        results = pd.read_csv(swept.folder / run / "results.csv")
        for metric in ("macro_auc", "accuracy"):
            own = results["value"][(results["arm"] == "global") & (results["metric"] == metric)].tolist()
            row = table.loc[("global.hidden", value, "global", metric)]
            assert len(own) == row["fits"] == 2
            assert row["mean"] == pytest.approx(statistics.mean(own), abs=1e-12)
            half = stats.t.ppf(0.975, 1) * statistics.stdev(own) / math.sqrt(2)
            assert row["ci_high"] - row["mean"] == pytest.approx(half, abs=1e-9)
            assert row["mean"] - row["ci_low"] == pytest.approx(half, abs=1e-9)


def test_there_is_a_picture_a_setting(swept: Sweep) -> None:
    for key in VARY:
        assert (swept.folder / f"{key}.png").read_bytes()[1:4] == b"PNG"


def test_the_same_sweep_fits_nothing_again(
    swept: Sweep, started: RunConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("map_picture", "before_after_picture", "arms_picture"):
        monkeypatch.setattr(f"foveola.reporting.cohort_maps.{name}", lambda *_, **__: None)
    monkeypatch.setattr(sensitivity, "curve_picture", lambda *_, **__: None)
    before = {path: path.stat().st_mtime_ns for path in swept.folder.glob("*/fits/**/done")}
    again = sweep(started, swept.folder, VARY)
    assert {path: path.stat().st_mtime_ns for path in swept.folder.glob("*/fits/**/done")} == before
    assert len(before) == 2 * (2 + 1 + 1 + 2)
    pd.testing.assert_frame_equal(again.table, swept.table)


def test_folds_are_corrected_for_the_images_that_they_share(tmp_path: Path) -> None:
    """Three folds of nine images with two seeds each: the interval of Nadeau and Bengio, by hand."""
    names = [f"image {place}" for place in range(9)]
    splits = pd.concat(
        [
            pd.DataFrame(
                {
                    "sample": names,
                    "group": "",
                    "label": "a",
                    "fold": fold,
                    "role": np.where(np.arange(9) % 3 == fold, "test", "train"),
                }
            )
            for fold in range(3)
        ]
    )
    splits.to_csv(tmp_path / "splits.csv", index=False)
    values = {(0, 0): 0.5, (0, 1): 0.7, (1, 0): 0.8, (1, 1): 0.6, (2, 0): 0.9, (2, 1): math.nan}
    results = pd.DataFrame(
        [("plain", fold, seed, "accuracy", value) for (fold, seed), value in values.items()],
        columns=["arm", "fold", "seed", "metric", "value"],
    )
    results.to_csv(tmp_path / "results.csv", index=False)
    (row,) = sensitivity.summary_of(tmp_path, ["plain"])
    folds = [0.6, 0.7, 0.9]
    half = stats.t.ppf(0.975, 2) * math.sqrt((1 / 3 + 3 / 6) * statistics.variance(folds))
    assert (row["arm"], row["metric"], row["fits"]) == ("plain", "accuracy", 5)
    assert row["mean"] == pytest.approx(statistics.mean(folds))
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([row["mean"] - half, row["mean"] + half])


def test_a_single_fit_has_no_interval(tmp_path: Path) -> None:
    splits = pd.DataFrame({"sample": ["a", "b"], "group": "", "label": "a", "fold": 0, "role": ["train", "test"]})
    splits.to_csv(tmp_path / "splits.csv", index=False)
    results = pd.DataFrame({"arm": ["plain"], "fold": 0, "seed": 0, "metric": "accuracy", "value": 0.5})
    results.to_csv(tmp_path / "results.csv", index=False)
    (row,) = sensitivity.summary_of(tmp_path, ["plain"])
    assert row["mean"] == 0.5
    assert math.isnan(row["ci_low"])


def test_what_the_paper_varies(configure: Configure) -> None:
    assert published(configure("global", {"training.epochs": 10})) == {
        "global.hidden": (32, 64, 128, 256),
        "global.penalty": (0.1, 0.01, 0.001, 0.0001),
        "training.cutoff": (2, 4, 6, 8, 10),
    }
    assert "training.cutoff" not in published(configure("l1")), "its mask is never fixed"
    with pytest.raises(FoveolaError, match="expected an arm that the paper varies, got plain"):
        published(configure("plain"))


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("global.penalty", 1e-05, "global.penalty=1e-05"),
        ("training.schedule", "cosine", "training.schedule=cosine"),
        ("learn-to-pay.levels", "stage/1, stage2", "learn-to-pay.levels=stage-1-stage2"),
        ("global.dense", True, "global.dense=true"),
    ],
)
def test_runs_are_called_by_their_value(key: str, value: Any, name: str) -> None:
    assert sensitivity.run_name(key, value) == name


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ({"global.hiden": [3]}, "expected a known key, got 'hiden'.* did you mean 'hidden'"),
        ({"global.hidden": []}, r"expected a list of values, got \[\], in --vary, global.hidden"),
        ({"global.hidden": {"low": 1, "high": 2}}, "expected a list of values"),
        ({"global.hidden": [0]}, "greater than or equal to 1"),
        ({"seeds": [1, 2]}, "segmentation, global, got 'seeds'"),
        ({"l1.penalty": [1]}, "got 'l1.penalty', in --vary; vary one of these, or add its --arm"),
    ],
)
def test_what_cannot_be_varied_is_said(configure: Configure, tmp_path: Path, vary: Any, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        sweep(configure(), tmp_path / "sweep", vary)
    assert not (tmp_path / "sweep").exists()


def test_a_learning_curve_is_no_sweep(configure: Configure, tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match="expected one training size, got 2"):
        sweep(configure(options={"train_sizes": [9, 12], "protocol": "holdout"}), tmp_path, {"training.lr": [0.1]})


def test_a_value_and_its_negative_have_runs_of_their_own() -> None:
    assert [run_name("a.b", value) for value in (0.5, -0.5, [1, 2])] == ["a.b=0.5", "a.b=-0.5", "a.b=1-2"]
