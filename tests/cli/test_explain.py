from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Foveola = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def models(foveola: Foveola, draw_folder: Callable[..., Path], small: tuple[str, ...], gate: str) -> None:
    """A model with attention inside, and one without any."""
    for arm in (gate, "plain"):
        assert foveola("fit", "--data", draw_folder(), "--arm", arm, *small, "--out", arm).code == 0


@pytest.mark.usefixtures("models")
def test_the_maps_of_some_images(foveola: Foveola) -> None:
    answer = foveola("explain", "gate", "scans", "--out", "out", "--limit", 3)
    assert (answer.code, answer.out, answer.err) == (0, "The maps of 3 images are in out\n", "")
    table = pd.read_csv("out/maps.csv", dtype=str)
    assert table["sample"].tolist() == [f"a/{index}.png" for index in range(3) for _ in range(4)]
    assert table["place"].tolist() == ["block1", "block2", "block3", "summary"] * 3
    for row in table.to_dict("records"):
        for end in (".npy", ".png", "-overlay.png"):
            assert (Path("out") / row["sample"] / f"{row['place']}{end}").is_file()
    assert foveola("explain", "gate", "scans/b/1.png").out == "The maps of 1 images are in explained\n"
    assert foveola("explain", "gate", "scans", "--unlabelled", "--limit", 1, "-o", "out").code == 0


@pytest.mark.usefixtures("models")
def test_pictures_stay_in_their_folder(foveola: Foveola) -> None:
    """Whatever path a table names, nothing is written beside the images."""
    Path("lists").mkdir()
    Path("lists/new.csv").write_text(f"file\n../scans/a/0.png\n{Path('scans/a/0.png').resolve()}\n")
    before = sorted(Path("scans").rglob("*"))
    assert foveola("explain", "gate", "lists/new.csv", "--out", "out").code == 0
    assert sorted(Path("scans").rglob("*")) == before
    folders = {path.parent.relative_to("out") for path in Path("out").rglob("summary.npy")}
    assert folders == {Path("up/scans/a/0.png"), Path(*Path("scans/a/0.png").resolve().parts[1:])}


@pytest.mark.usefixtures("models")
def test_predictions_with_maps(foveola: Foveola) -> None:
    assert foveola("predict", "gate", "scans", "--maps", "maps").code == 0
    assert len(list(Path("maps/images").rglob("*.png"))) == 18
    assert Path("maps/map.png").is_file()


@pytest.mark.usefixtures("models")
def test_what_cannot_be_explained(refused: Refused) -> None:
    sentence = refused("explain", "plain", "scans", "--out", "out")
    assert "expected a model with attention, got one of the arm 'plain', in plain; choose a model of" in sentence
    assert "expected a fitted model (model.json and model.safetensors), got none" in refused(
        "explain", "scans", "scans"
    )
    Path("empty").mkdir()
    assert "expected at least one image, got none, in empty" in refused("explain", "gate", "empty", "--out", "out")
    assert "did you mean" in refused("explain", "gate", "phantm")
    Path("notes").write_text("mine")
    assert "in notes/explain.json; check the path" in refused("explain", "gate", "scans", "--out", "notes")
    assert Path("notes").read_text() == "mine"
    Path("scans/a/0.png").write_bytes(b"")
    assert "(an empty file), in scans/a/0.png;" in refused("explain", "gate", "scans", "--out", "out")
    assert not Path("out").exists()
