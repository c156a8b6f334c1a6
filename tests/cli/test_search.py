from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.main import get_command

from foveola.cli import app
from foveola.cli.search import sentences
from foveola.protocol import RunConfiguration
from foveola.search import Search

Foveola = Callable[..., Any]
Refused = Callable[..., str]
DrawFolder = Callable[..., Path]


def found(**changes: Any) -> Search:
    table = pd.DataFrame(
        {
            "number": [0, 1, 2, 3],
            "state": ["complete", "pruned", "pruned", "refused"],
            "training.lr": [0.00012346, 1, 2, 3],
            "score": [0.51234, None, None, None],
        }
    )
    configuration = RunConfiguration(data="digits", arms={"plain": {}}, **changes)
    return Search(Path("study"), table, 0, {"training.lr": 0.00012346}, configuration, 31)


def test_the_best_is_said_with_what_became_of_the_others() -> None:
    assert sentences(found())[0] == (
        "Of 4 trials (2 given up early, 1 had settings that cannot be together) number 0 is best: training.lr = "
        "0.0001235; loss 0.5123 on 31 validation images."
    )
    assert "macro AUC 0.5123" in sentences(found(training={"criterion": "macro_auc"}))[0]


def test_a_search_is_printed_told_by_status_and_taken_by_fit(
    foveola: Foveola, draw_folder: DrawFolder, small: tuple[str, ...]
) -> None:
    space = ("--space", "training.lr=0.01,0.001")
    answer = foveola("search", "--data", draw_folder(), "--arm", "plain", *small, *space, "--out", "study")
    assert (answer.code, answer.err) == (0, "")
    table = pd.read_csv("study/trials.csv")
    best = table.loc[table["score"].idxmin()]
    assert f"Of 2 trials number {best['number']} is best: training.lr = {best['training.lr']:g}; loss " in answer.out
    assert re.search(rf"\b{best['number']} +│ {best['training.lr']:g} +│ {best['score']:.4f} ", answer.out)
    assert answer.out.endswith("foveola compare --config study/best.yaml\n")
    status = foveola("status", "study").out
    assert re.search(r"trials +│ +2 │ +0 │ +0 │ +0", status), status
    assert foveola("fit", "--config", "study/best.yaml", "--out", "model").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--space", "global.hiden=3"),
            "expected a known setting, got 'global.hiden', in the search space; did you mean",
        ),
        (("--space", "papr"), "got 'papr', in --space; did you mean 'paper'"),
        (("--space", "training.lr=0.1:0.01"), "a low end below the high one"),
        (("--space", "training.lr="), "expected key=values, got 'training.lr=', in --space"),
    ],
)
def test_bad_spaces_are_refused(
    refused: Refused, draw_folder: DrawFolder, small: tuple[str, ...], options: tuple[str, ...], message: str
) -> None:
    assert message in refused("search", "--data", draw_folder(), "--arm", "global", *small, *options, "--out", "study")
    assert not Path("study").exists()


def test_the_page_says_what_can_be_said() -> None:
    """Every command on it is understood."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "search.md").read_text(encoding="utf-8")
    lines = re.findall(r"^foveola .*$", page, flags=re.MULTILINE)
    assert len(lines) == 5
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for line in lines:
        _, name, *arguments = shlex.split(line)
        assert commands[name].make_context(name, arguments).params["out"] is not None
