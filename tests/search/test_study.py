from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import numpy as np
import optuna
import pandas as pd
import pytest
import yaml

from foveola.comparison import compare
from foveola.data import load_cohort
from foveola.execution import job_status
from foveola.foundation.errors import FoveolaError
from foveola.protocol import RunConfiguration, read_configuration
from foveola.search import Search, read_study, search
from foveola.search.memory import check_optuna

GRID = {"training.lr": [0.01, 0.0001], "global.hidden": [3, 4]}
POINTS = [(lr, hidden) for lr in GRID["training.lr"] for hidden in GRID["global.hidden"]]
PATIENCE_S = 300
Configure = Callable[..., RunConfiguration]


def settings_told(folder: Path) -> list[tuple[Any, ...]]:
    """Returns the settings of every trial in the journal."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
    study = optuna.load_study(study_name="foveola", storage=optuna.storages.JournalStorage(backend))
    return sorted(tuple(trial.params[key] for key in GRID) for trial in study.get_trials())


def without_seconds(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "trials.csv").drop(columns="seconds")


@pytest.fixture(scope="module")
def quiet(configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A grid that was tried in this process, without any trouble; to be read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return search(configure(), tmp_path_factory.mktemp("quiet") / "study", space=GRID)


def test_every_point_of_a_grid_is_tried_once(quiet: Search) -> None:
    table = pd.read_csv(quiet.folder / "trials.csv")
    assert list(zip(table["training.lr"], table["global.hidden"], strict=True)) == POINTS
    assert table["state"].tolist() == ["complete"] * 4
    assert settings_told(quiet.folder) == sorted(POINTS)
    assert (quiet.folder / "trials.png").read_bytes()[1:4] == b"PNG"


def test_scores_are_those_of_the_best_epochs_on_validation_images(quiet: Search) -> None:
    for number, row in quiet.trials.set_index("number").iterrows():
        history = pd.read_csv(quiet.folder / "trials" / f"{number:04d}" / "0" / "history.csv")
        assert row["score"] == pytest.approx(history["val_loss"].min(), rel=1e-6)
        assert row["epoch_0"] == history["epoch"][history["val_loss"].idxmin()]
    assert quiet.best == quiet.trials["score"].argmin()
    assert quiet.validated == 9


def test_two_workers_whose_driver_is_killed_leave_the_same(quiet: Search, configure: Configure, tmp_path: Path) -> None:
    """Going on leaves what was finished alone, whatever orphans still do; no point is tried or told twice."""
    folder = tmp_path / "study"
    (tmp_path / "configuration.yaml").write_text(yaml.safe_dump(configure().model_dump(mode="json")))
    command = [
        "search",
        "--config",
        str(tmp_path / "configuration.yaml"),
        "--out",
        str(folder),
        "--workers",
        "2",
    ]
    for key, values in GRID.items():
        command += ["--space", f"{key}={','.join(map(str, values))}"]
    driver = forked.start(command)
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not (finished := sorted(folder.glob("trials/*/done"))):
            assert driver.poll() is None, driver.wait().stderr
            assert time.monotonic() < give_up
            time.sleep(0.02)
    finally:
        driver.kill()
    driver.wait()
    before = {path: path.stat().st_mtime_ns for path in finished}
    found = search(configure(), folder, space=GRID)
    assert {path: path.stat().st_mtime_ns for path in finished} == before
    assert settings_told(folder) == sorted(POINTS)
    pd.testing.assert_frame_equal(without_seconds(folder), without_seconds(quiet.folder))
    assert found.settings == quiet.settings


def test_the_best_is_a_configuration_that_tests_on_what_was_put_aside(
    quiet: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("map_picture", "before_after_picture", "arms_picture"):
        monkeypatch.setattr(f"foveola.reporting.cohort_maps.{name}", lambda *_, **__: None)
    best = read_configuration(quiet.folder / "best.yaml")
    assert best.training.lr == quiet.settings["training.lr"]
    assert best.arms["global"]["hidden"] == quiet.settings["global.hidden"]
    compare(best, tmp_path / "run")
    splits = pd.read_csv(tmp_path / "run" / "splits.csv", keep_default_na=False)
    searched = pd.read_csv(quiet.folder / "splits.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(splits, searched)
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert len(predictions) == (searched["role"] == "test").sum() == 11


def test_test_images_change_nothing(
    quiet: Search, configure: Configure, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Whatever the test images and their labels are, every score and the choice are the same."""
    rng = np.random.default_rng(7)
    changed = dict(arrays)
    changed["test_images"] = rng.integers(0, 256, arrays["test_images"].shape, dtype=np.uint8)
    changed["test_labels"] = rng.permutation(arrays["test_labels"])
    np.savez(tmp_path / "changed.npz", **changed)  # type: ignore[arg-type]
    search(configure(options={"data": str(tmp_path / "changed.npz")}), tmp_path / "study", space=GRID)
    pd.testing.assert_frame_equal(without_seconds(tmp_path / "study"), without_seconds(quiet.folder))


def test_how_far_a_study_is_can_be_read(quiet: Search) -> None:
    job = read_study(quiet.folder)
    assert [task.name for task in job.tasks] == [f"trials/000{number}" for number in range(4)]
    assert job_status(job.folder, job.tasks).is_finished


def test_a_folder_goes_on_with_the_same_space_alone(quiet: Search, configure: Configure) -> None:
    with pytest.raises(FoveolaError, match=r"expected the space of the study that is there, .* choose another --out"):
        search(configure(), quiet.folder, space={"training.lr": [0.01]})
    with pytest.raises(FoveolaError, match=r"training\.batch_size = 7, got 8"):
        search(configure(options={"training.batch_size": 8}), quiet.folder, space=GRID)


@pytest.mark.parametrize(
    ("arm", "space", "message"),
    [
        ("global", {"global.hiden": [3]}, "expected a known setting, got 'global.hiden'"),
        ("global", {"global.hidden": []}, "expected a list of values"),
        ("global", {"training.lr": {"low": 1, "high": 0.1}}, "a low end below the high one"),
        ("plain", {"global.hidden": [3]}, "expected settings to search, got none of arm 'plain', in --space"),
        ("majority", "default", "expected settings to search, got none of arm 'majority'.*searches for itself"),
    ],
)
def test_what_cannot_be_searched_is_said(
    configure: Configure, tmp_path: Path, arm: str, space: Any, message: str
) -> None:
    with pytest.raises(FoveolaError, match=message):
        search(configure(arm), tmp_path / "study", space=space)
    assert not (tmp_path / "study").exists()


def test_several_arms_or_test_sets_are_refused(configure: Configure, scans: Path, tmp_path: Path) -> None:
    two = configure().model_copy(update={"arms": {"plain": {}, "global": {}}})
    with pytest.raises(FoveolaError, match="expected one arm, got 2"):
        search(two, tmp_path / "study")
    table, path = load_cohort(str(scans)).table[["sample"]], tmp_path / "splits.csv"
    table.assign(fold=np.arange(45) % 3).to_csv(path, index=False)
    with pytest.raises(FoveolaError, match=r"one test set, got 3 folds, .* --protocol nested"):
        search(configure(options={"split_file": str(path)}), tmp_path / "study")
    table.assign(role=np.where(np.arange(45) < 30, "train", "test")).to_csv(path, index=False)
    with pytest.raises(FoveolaError, match=r"expected images to validate on, got none, .* --inner-folds 3"):
        search(configure(options={"split_file": str(path)}), tmp_path / "study")


def test_optuna_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(FoveolaError, match=r'run `pip install "foveola\[search\]"`'):
        check_optuna()


def test_what_is_kept_of_a_trial_is_json(quiet: Search) -> None:
    kept = json.loads((quiet.folder / "trials" / "0002" / "done").read_text())
    assert kept["settings"] == {"training.lr": 0.0001, "global.hidden": 3}
    assert kept["seconds"] > 0
