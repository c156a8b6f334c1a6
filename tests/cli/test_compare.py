from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.usefixtures("no_pictures")

Foveola = Callable[..., Any]
DrawFolder = Callable[..., Path]

HOLDOUT = ("--protocol", "holdout")


def test_the_table_is_what_the_files_say_and_all_else_is_silent(
    foveola: Foveola, draw_folder: DrawFolder, small: tuple[str, ...]
) -> None:
    arms = ("-a", "plain", "-a", "l1-fair")
    command = ("compare", "-d", draw_folder(), *arms, *small, *HOLDOUT, "--seeds", 2, "-o", "run")
    answer = foveola(*command)
    assert (answer.code, answer.err) == (0, ""), "no bar moves without a terminal"
    results = pd.read_csv("run/results.csv")
    lines = answer.out.splitlines()
    for arm in ("plain", "l1-fair"):
        (line,) = [line for line in lines if line.startswith(f"│ {arm} ")]
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        assert cells[:2] == [arm, "2"]
        own = results[(results["arm"] == arm) & ~results["metric"].str.contains("[", regex=False)]
        shown = own[own["metric"] != "brier"].groupby("metric", sort=False)["value"]
        for cell, (_, values) in zip(cells[2:], shown, strict=True):
            assert cell == f"{values.mean():.3f} ± {values.std():.3f}"
    pairs = pd.read_csv("run/comparisons.csv")
    (row,) = pairs[pairs["primary"]].to_dict("records")
    assert f"l1-fair against plain: macro AUC {row['difference']:+.3f}" in answer.out
    assert lines[-1] == "Everything is in run"
    manifest = json.loads(Path("run/manifest.json").read_text())
    assert manifest["command"] == ["foveola", *map(str, command)]
    again = foveola(*command)
    assert (again.out, again.err) == (answer.out, "")


def test_what_is_set_later_wins_and_the_run_says_so(
    foveola: Foveola, draw_folder: DrawFolder, small: tuple[str, ...]
) -> None:
    draw_folder()
    Path("study.yaml").write_text("data: nowhere\narms: [plain, global]\nseeds: 3\ntraining: {lr: 0.5, epochs: 9}\n")
    options = (
        "--data",
        "scans",
        "--seeds",
        1,
        "--pixel-memory",
        7,
        "--set",
        "training.lr=0.25",
        "--set",
        "global.dim=9",
    )
    assert foveola("compare", "--config", "study.yaml", *options, *small, *HOLDOUT, "-o", "run").code == 0
    values = yaml.safe_load(Path("run/run.yaml").read_text())
    assert (values["data"], values["seeds"]) == ("scans", 1)
    assert (values["training"]["lr"], values["training"]["epochs"], values["training"]["cutoff"]) == (0.25, 1, 1)
    assert list(values["arms"]) == ["plain", "global"]
    assert (values["arms"]["global"]["pixel_memory"], values["arms"]["global"]["dim"]) == (7, 9)


def test_a_run_is_repeated_from_its_own_configuration(
    foveola: Foveola, draw_folder: DrawFolder, small: tuple[str, ...]
) -> None:
    foveola(
        "compare", "-d", draw_folder(), "-a", "coarse-mask", *small, "--protocol", "kfold", "--folds", 2, "-o", "run"
    )
    assert foveola("compare", "--config", "run/run.yaml", "--out", "again").code == 0
    for name in ("run.yaml", "splits.csv", "predictions.csv", "results.csv", "comparisons.csv"):
        assert (Path("run") / name).read_bytes() == (Path("again") / name).read_bytes(), name
    assert foveola("compare", "--config", "run/run.yaml", "--split-file", "run/splits.csv", "--out", "third").code == 0
    assert Path("third/predictions.csv").read_bytes() == Path("run/predictions.csv").read_bytes()


def test_a_run_without_a_folder_goes_on_in_its_own(
    foveola: Foveola, draw_folder: DrawFolder, small: tuple[str, ...]
) -> None:
    command = ("compare", "-d", draw_folder(), "-a", "plain", *small, *HOLDOUT)
    assert foveola(*command).code == 0
    (run,) = Path("runs").iterdir()
    assert run.name.startswith("scans-")
    done = (run / "fits/plain/0-0/done").stat()
    assert foveola(*command).code == 0
    assert list(Path("runs").iterdir()) == [run]
    assert (run / "fits/plain/0-0/done").stat().st_mtime_ns == done.st_mtime_ns


def test_a_metric_that_is_not_defined_is_called_so(
    foveola: Foveola, draw_folder: DrawFolder, small: tuple[str, ...]
) -> None:
    samples = sorted(path.relative_to("scans").as_posix() for path in draw_folder().rglob("*.png"))
    roles = ["test" if sample in ("a/0.png", "b/1.png") else "train" for sample in samples]
    pd.DataFrame({"sample": samples, "role": roles}).to_csv("splits.csv", index=False)
    answer = foveola(
        "compare", "-d", "scans", "-a", "plain", *small, *HOLDOUT, "--split-file", "splits.csv", "-o", "run"
    )
    assert answer.code == 0
    assert answer.out.count("not defined") == 3
    reasons = pd.read_csv("run/results.csv", keep_default_na=False).set_index("metric")["reason"]
    assert reasons["macro_auc"] == "no test image of class number 2"
    assert reasons["accuracy"] == ""


def test_by_default_folds_are_dealt_again_and_an_epoch_is_chosen(
    foveola: Foveola, draw_folder: DrawFolder, small: tuple[str, ...]
) -> None:
    command = ("compare", "-d", draw_folder(), "-a", "plain", "-a", "majority", *small, "--folds", 2, "--repeats", 2)
    forecast = foveola(*command, "--dry-run", "--workers", 2)
    assert (forecast.code, forecast.err) == (0, "")
    assert "Protocol sound: what would be done" in forecast.out
    assert re.search(r"^8 fits, about .* with 2 workers, without the arms whose time is not known", forecast.out, re.M)
    assert not Path("runs").exists(), "a dry run wrote something"
    answer = foveola(*command, "-o", "run")
    assert (answer.code, answer.err) == (0, "")
    assert "Nadeau-Bengio t over 4 folds" in answer.out
    values = yaml.safe_load(Path("run/run.yaml").read_text())
    assert (values["protocol"], values["val_fraction"], values["training"]["keep"]) == ("sound", 0.15, "best")
    assert sorted(path.name for path in Path("run/fits/plain").iterdir()) == ["0-0", "1-0", "2-1", "3-1"]


def test_a_learning_curve_is_printed_and_drawn(
    foveola: Foveola, draw_folder: DrawFolder, small: tuple[str, ...]
) -> None:
    command = ("compare", "-d", draw_folder(), "-a", "majority", "-a", "plain", *small, "--seeds", 2)
    answer = foveola(*command, "--train-sizes", "6,12", "-o", "run")
    assert (answer.code, answer.err) == (0, "")
    curve = pd.read_csv("run/curve.csv")
    assert curve["train_size"].tolist() == [6, 12, 6, 12]
    assert curve["fits"].tolist() == [2, 2, 2, 2]
    assert Path("run/curve.png").read_bytes().startswith(b"\x89PNG")
    assert "with 6 training images, plain against majority" in answer.out
    assert yaml.safe_load(Path("run/run.yaml").read_text())["protocol"] == "holdout"
