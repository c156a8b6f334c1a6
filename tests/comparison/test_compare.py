"""The run folder of a comparison: what is in it, that every number follows from it, and that it can be repeated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from foveola.comparison import compare, fit_model
from foveola.foundation.errors import FoveolaError
from foveola.protocol import PlannedFit, RunConfiguration, read_configuration
from foveola.statistics import METRICS

Configure = Callable[..., RunConfiguration]
Contents = Callable[[Path], dict[str, tuple[int, bytes]]]

MODULE = import_module("foveola.comparison.compare")  # its name in the package is that of the function
ARMS = ("plain", "l1-fair", "global")
TABLES = ("predictions.csv", "results.csv", "comparisons.csv", "intervals.csv", "ranks.csv", "nemenyi.csv")


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES}


def maps(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.npy"))}


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"sample": str, "label": str}, keep_default_na=False)


def test_the_run_folder_is_complete(finished: Path) -> None:
    files = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    fit = {"model.safetensors", "model.json", "history.csv", "predictions.csv", "done"}
    expected = {"run.yaml", "manifest.json", "splits.csv", *TABLES}
    for arm in ARMS:
        own = fit if arm == "plain" else fit | {"map.npy", "map-before.npy", "maps/input.npy"}
        expected |= {f"fits/{arm}/0-{seed}/{name}" for seed in (0, 1) for name in own}
        if arm != "plain":
            expected |= {f"maps/{arm}{end}" for end in (".npy", "-sd.npy", "-before.npy", ".png", "-before-after.png")}
    expected.add("maps/arms.png")
    assert {name for name in files if "/tensorboard/" not in name} == expected
    assert sum("/tensorboard/" in name for name in files) >= 6


def test_predictions_are_those_of_the_test_images_fit_by_fit(finished: Path) -> None:
    table, splits = read(finished / "predictions.csv"), read(finished / "splits.csv")
    assert list(table.columns) == ["sample", "arm", "fold", "seed", "epoch", "label", "p_0", "p_1", "p_2"]
    tested = splits[splits["role"] == "test"]
    order = [(arm, seed) for seed in (0, 1) for arm in ARMS]
    assert list(table.groupby(["arm", "seed"], sort=False).groups) == order
    for arm, seed in order:
        own = table[(table["arm"] == arm) & (table["seed"] == seed)]
        assert own["sample"].tolist() == tested["sample"].tolist()
        assert own["label"].tolist() == tested["label"].tolist()
        assert set(own["epoch"]) == {2}
        assert np.allclose(own[["p_0", "p_1", "p_2"]].sum(axis=1), 1, atol=1e-6)
        pd.testing.assert_frame_equal(
            own.reset_index(drop=True), read(finished / f"fits/{arm}/0-{seed}/predictions.csv")
        )


def test_every_number_in_the_results_follows_from_the_predictions(finished: Path) -> None:
    predictions = read(finished / "predictions.csv")
    results = pd.read_csv(finished / "results.csv")
    assert list(results.columns) == ["arm", "fold", "seed", "metric", "value", "reason"]
    of_classes = [f"{name}[{k}]" for k in range(3) for name in ("auc", "sensitivity", "specificity")]
    assert results["metric"].tolist() == [*METRICS, *of_classes] * len(ARMS) * 2
    for row in results[results["metric"].isin(list(METRICS))].to_dict("records"):
        own = predictions[(predictions["arm"] == row["arm"]) & (predictions["seed"] == row["seed"])]
        labels, p = own["label"].astype(int).to_numpy(), own[["p_0", "p_1", "p_2"]].to_numpy()
        assert row["value"] == pytest.approx(METRICS[row["metric"]](labels, p), rel=1e-8)


def test_differences_follow_from_the_results(finished: Path) -> None:
    results, pairs = pd.read_csv(finished / "results.csv"), pd.read_csv(finished / "comparisons.csv")
    means = results.groupby(["arm", "metric"])["value"].mean()
    verdicts = pairs[pairs["primary"]]
    assert verdicts[["arm_a", "arm_b", "metric", "test"]].to_numpy().tolist() == [
        ["plain", "l1-fair", "macro_auc", "DeLong"],
        ["plain", "global", "macro_auc", "DeLong"],
        ["l1-fair", "global", "macro_auc", "DeLong"],
    ]
    assert set(pairs["metric"]) == set(METRICS)
    for row in pairs.to_dict("records"):
        expected = means[row["arm_b"], row["metric"]] - means[row["arm_a"], row["metric"]]
        assert row["difference"] == pytest.approx(expected, abs=1e-8)
    assert set(pairs["groups"]) == {10}


def test_the_metric_of_the_verdict_is_the_one_that_is_asked_for(
    finished: Path, configure: Configure, tmp_path: Path, no_pictures: None
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    given = yaml.safe_load((run / "run.yaml").read_text())
    (run / "run.yaml").write_text(yaml.safe_dump({**given, "metric": "accuracy"}, sort_keys=False))
    pairs = compare(read_configuration(run / "run.yaml"), run).comparisons
    assert set(pairs[pairs["primary"]]["test"]) == {"sign flips over groups"}
    with pytest.raises(FoveolaError, match=r"known metric, got 'acuracy', in --metric; did you mean 'accuracy'"):
        compare(configure(options={"metric": "acuracy"}), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_maps_are_means_and_sds_over_the_fits(finished: Path) -> None:
    for arm in ("l1-fair", "global"):
        fits = [np.load(finished / f"fits/{arm}/0-{seed}/map.npy") for seed in (0, 1)]
        assert fits[0].shape == (16, 16)
        assert not np.array_equal(fits[0], fits[1]) or arm == "l1-fair"
        assert np.allclose(np.load(finished / f"maps/{arm}.npy"), (fits[0] + fits[1]) / 2, atol=1e-6)
        assert np.allclose(np.load(finished / f"maps/{arm}-sd.npy"), abs(fits[0] - fits[1]) / np.sqrt(2), atol=1e-6)
        before = np.load(finished / f"fits/{arm}/0-0/map-before.npy")
        assert not np.array_equal(before, fits[0]), "training left the map as it was"


def test_the_history_has_a_row_an_epoch_and_the_model_says_what_it_is(finished: Path) -> None:
    history = pd.read_csv(finished / "fits/global/0-1/history.csv")
    assert history["epoch"].tolist() == [1, 2]
    assert {"train_loss", "train_accuracy", "val_loss", "val_accuracy", "penalty"} <= set(history.columns)
    model = json.loads((finished / "fits/global/0-1/model.json").read_text())
    assert (model["arm"], model["fold"], model["seed"], model["classes"]) == ("global", 0, 1, ["0", "1", "2"])
    assert model["attention"]["representation"] == "exact"
    assert json.loads((finished / "fits/global/0-1/done").read_text())["seconds"] > 0


@pytest.mark.usefixtures("no_pictures")
def test_its_own_run_yaml_repeats_the_run_byte_by_byte(finished: Path, tmp_path: Path) -> None:
    compare(read_configuration(finished / "run.yaml"), tmp_path / "again")
    assert tables(tmp_path / "again") == tables(finished)
    assert maps(tmp_path / "again") == maps(finished)
    for name in ("run.yaml", "splits.csv", "fits/global/0-0/model.safetensors", "fits/global/0-0/history.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (finished / name).read_bytes(), name


@pytest.mark.usefixtures("no_pictures")
def test_what_is_finished_is_not_trained_again(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: Contents
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    before = contents(run / "fits")
    for name in TABLES:
        (run / name).unlink()
    (run / "fits/global/0-1/done").unlink()
    trained = []

    def recorded(fit: PlannedFit, *_: object) -> None:
        trained.append(fit.name)

        shutil.copy(finished / "fits" / fit.name / "done", run / "fits" / fit.name / "done")

    monkeypatch.setattr("foveola.protocol.run.run_job.run_fit", recorded)
    compare(read_configuration(run / "run.yaml"), run)
    assert trained == ["global/0-1"]
    assert tables(run) == tables(finished)
    after = contents(run / "fits")
    assert {name: after[name] for name in before if name != "global/0-1/done"} == {
        name: value for name, value in before.items() if name != "global/0-1/done"
    }
    assert after.keys() == before.keys(), "something is left of the claim"


@pytest.mark.usefixtures("no_pictures")
def test_a_finished_run_needs_no_weights_to_be_shown(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    network = import_module("foveola.models.building.arm_network")
    monkeypatch.setattr(network, "build_backbone", lambda *_: pytest.fail("built a backbone"))
    summary = compare(read_configuration(run / "run.yaml"), run).summary
    assert list(summary.index) == list(ARMS)
    assert summary["fits"].tolist() == [2, 2, 2]


@pytest.mark.usefixtures("no_pictures")
def test_folds_test_each_image_once(configure: Configure, tmp_path: Path) -> None:
    options = {"protocol": "kfold", "folds": 2, "training.epochs": 1}
    result = compare(configure(["plain"], options), tmp_path / "run")
    table, splits = read(tmp_path / "run/predictions.csv"), read(tmp_path / "run/splits.csv")
    assert sorted(table["sample"]) == sorted(set(splits["sample"]))
    assert result.summary["fits"].tolist() == [2]
    assert result.comparisons.empty
    assert (tmp_path / "run/comparisons.csv").read_text().startswith("train_size,arm_a,arm_b,metric,test,primary")
    for fold in (0, 1):
        tested = splits[(splits["fold"] == fold) & (splits["role"] == "test")]["sample"]
        assert set(table[table["fold"] == fold]["sample"]) == set(tested)


def test_predictions_that_were_lost_are_named(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    path = run / "fits/plain/0-0/predictions.csv"
    path.write_bytes(b"")
    with pytest.raises(FoveolaError, match=r"the predictions of a finished fit, .*; remove the file 'done' beside it"):
        compare(read_configuration(run / "run.yaml"), run)
    path.unlink()
    with pytest.raises(FoveolaError, match="plain/0-0/predictions"):
        compare(read_configuration(run / "run.yaml"), run)


def test_one_model_is_fitted_as_in_a_comparison(finished: Path, configure: Configure, tmp_path: Path) -> None:
    metrics = fit_model(configure(["l1-fair"]), tmp_path / "model")
    for name in ("model.safetensors", "predictions.csv", "map.npy", "map-before.npy", "history.csv"):
        assert (tmp_path / "model" / name).read_bytes() == (finished / "fits/l1-fair/0-0" / name).read_bytes(), name
    results = pd.read_csv(finished / "results.csv")
    own = results[(results["arm"] == "l1-fair") & (results["seed"] == 0)]
    assert metrics == pytest.approx(dict(zip(own["metric"], own["value"], strict=True)), rel=1e-8)
    with pytest.raises(FoveolaError, match="expected one arm, got 2, in --arm; use `foveola compare` for several"):
        fit_model(configure(), tmp_path / "two")


def test_a_fitted_model_is_not_fitted_again(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: Contents
) -> None:
    configuration = configure(["plain"], {"training.epochs": 1})
    first = fit_model(configuration, tmp_path / "model")
    before = contents(tmp_path / "model")
    monkeypatch.setattr(MODULE, "run_fit", lambda *_: pytest.fail("fitted again"))
    assert fit_model(configuration, tmp_path / "model") == first
    assert contents(tmp_path / "model") == before
    with pytest.raises(FoveolaError, match=r"training\.lr = 0.01, got 0.02"):
        fit_model(configure(["plain"], {"training.epochs": 1, "training.lr": 0.02}), tmp_path / "model")
    assert contents(tmp_path / "model") == before
