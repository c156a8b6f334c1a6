from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Foveola = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def models(foveola: Foveola, draw_folder: Callable[..., Path], small: tuple[str, ...]) -> tuple[str, str]:
    """A model with a map and one without."""
    for arm in ("l1", "plain"):
        assert foveola("fit", "--data", draw_folder(), "--arm", arm, *small, "--out", arm).code == 0
    return "l1", "plain"


def test_predictions_and_maps(foveola: Foveola, models: tuple[str, str]) -> None:
    answer = foveola("predict", models[0], "scans", "--out", "all.csv", "--maps", "maps")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "18 predictions are in all.csv\n"
    rows = Path("all.csv").read_text().splitlines()
    assert set(Path("l1/predictions.csv").read_text().splitlines()) <= set(rows)
    assert Path("maps/map.npy").read_bytes() == Path("l1/map.npy").read_bytes()
    assert Path("maps/map.png").is_file()
    assert len(list(Path("maps/images").rglob("*.png"))) == 18


def test_one_image_and_labels_that_are_not_wanted(foveola: Foveola, models: tuple[str, str]) -> None:
    assert foveola("predict", models[1], "scans/b/2.png").out == "1 predictions are in predictions.csv\n"
    (row,) = Path("predictions.csv").read_text().splitlines()[1:]
    assert row.startswith("2.png,plain,0,0,1,,0.")
    assert foveola("predict", models[1], "scans", "--unlabelled").code == 0
    assert {row.split(",")[5] for row in Path("predictions.csv").read_text().splitlines()[1:]} == {""}


def test_what_cannot_be_predicted(refused: Refused, models: tuple[str, str]) -> None:
    sentence = refused("predict", "plain", "scans", "--maps", "maps")
    assert "expected a model with attention, got one of the arm 'plain', in plain; leave out --maps" in sentence
    assert not Path("maps").exists()
    assert "expected a fitted model (model.json and model.safetensors), got none" in refused(
        "predict", "scans", "scans"
    )
    Path("l1/model.safetensors").write_bytes(b"half")
    assert "expected a fitted model, got damaged files, in l1; fit it again" in refused("predict", "l1", "scans")
    assert "got 'Is a directory', in scans; check the path" in refused("predict", "plain", "scans", "--out", "scans")
    Path("empty").mkdir()
    assert "expected at least one image, got none, in empty" in refused("predict", "plain", "empty")
    Path("scans/a/0.png").write_bytes(b"")
    assert "(an empty file), in scans/a/0.png;" in refused("predict", "plain", "scans")
    assert not Path("predictions.csv").exists()
