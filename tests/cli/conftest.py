"""The command as a user types it, and images to type it for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveola.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command left behind: its exit code, and what it printed."""

    code: int
    out: str
    err: str


Foveola = Callable[..., Answer]
DrawFolder = Callable[..., Path]


@pytest.fixture
def foveola(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Foveola]:
    """Runs a command in an empty folder, on a wide screen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "180")

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["foveola", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return Answer(int(end.value.code or 0), printed.out, printed.err)

    yield run
    logging.captureWarnings(False)
    logging.getLogger("py.warnings").setLevel(logging.NOTSET)


@pytest.fixture
def refused(foveola: Foveola) -> Callable[..., str]:
    """Runs a command that has to fail, and returns its one sentence."""

    def run(*arguments: object) -> str:
        answer = foveola(*arguments)
        assert (answer.code, answer.out) == (2, ""), answer
        assert answer.err.startswith("foveola: expected ")
        assert answer.err.count("\n") == 1
        assert "Traceback" not in answer.err
        assert ", got " in answer.err
        assert "; " in answer.err, "it does not say what to do"
        return answer.err.strip()

    return run


def draw(path: Path, mode: str = "L", size: tuple[int, int] = (11, 13), seed: int = 0) -> None:
    """Draws one image of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    if mode == "I;16":
        Image.fromarray(noise[..., 0].astype(np.uint16) * 201).save(path)
    else:
        Image.fromarray(noise).convert("RGB").convert(mode).save(path)


@pytest.fixture
def draw_image() -> Callable[..., None]:
    """Draws one image of a mode and a size."""
    return draw


@pytest.fixture
def draw_folder(tmp_path: Path) -> DrawFolder:
    """Draws a folder with a folder per class, of so many grey images each."""

    def folder(name: str = "scans", counts: Sequence[int] = (7, 5, 6)) -> Path:
        for label, count in zip("abc", counts, strict=True):
            for place in range(count):
                draw(tmp_path / name / label / f"{place}.png", seed=100 * ord(label) + place)
        return Path(name)

    return folder


SMALL = ("--backbone", "small-cnn", "--image-size", "16", "--epochs", "1", "--batch-size", "5")


@pytest.fixture
def small() -> tuple[str, ...]:
    """Options that make a fit quick."""
    return SMALL


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the drawing, which takes longer than the training of so few images."""
    for name in ("map_picture", "before_after_picture", "arms_picture"):
        monkeypatch.setattr(f"foveola.reporting.cohort_maps.{name}", lambda *_, **__: None)
