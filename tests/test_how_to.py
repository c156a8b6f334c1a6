"""The page on a new mechanism does what it says."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from foveola.attention import ARMS
from foveola.cli import main

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "how-to" / "new-mechanism.md").read_text(encoding="utf-8")
FILE, CHECK, MAPS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
LIST, COMPARE, EXPLAIN = re.findall(r"^foveola .*$", PAGE, flags=re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of the page in an empty folder; what it registers is forgotten afterwards."""
    modules = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ARMS, "_members", dict(ARMS._members))
        patch.chdir(tmp_path_factory.mktemp("how-to"))
        Path("contrast.py").write_text(FILE, encoding="utf-8")
        yield Path.cwd()
    for name in set(sys.modules) - modules:
        if name.startswith("foveola_plugin"):
            del sys.modules[name]


def run(command: str, monkeypatch: pytest.MonkeyPatch, *extra: str) -> None:
    monkeypatch.setattr(sys, "argv", [*shlex.split(command), *extra])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code


def test_the_file_is_as_short_as_promised() -> None:
    assert 20 <= len(FILE.splitlines()) <= 40


def test_it_is_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(LIST, monkeypatch)
    assert re.search(r"contrast +pointwise +inside +positions that differ", capsys.readouterr().out)


def test_it_keeps_the_contract() -> None:
    exec(compile(CHECK, "new-mechanism.md", "exec"), {})
    assert "contrast" in ARMS


def test_it_trains_and_shows_its_maps(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(COMPARE, monkeypatch, "--epochs", "1", "--batch-size", "64")
    assert "contrast against plain: macro AUC" in " ".join(capsys.readouterr().out.split())
    assert (folder / "run" / "maps" / "contrast.png").is_file()
    kept = sorted((folder / "run" / "fits" / "contrast" / "0-0" / "maps").glob("*.npy"))
    run(EXPLAIN, monkeypatch)
    assert len(list((folder / "explained").rglob("*.npy"))) >= 9
    capsys.readouterr()
    exec(compile(MAPS, "new-mechanism.md", "exec"), {})
    printed = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    assert sorted(printed) == [path.stem for path in kept]
    assert len(printed) == 3
    for path in kept:
        stored = np.load(path)
        assert printed[path.stem] == str((2, *stored.shape[-2:]))
        assert 0 < stored.min() <= stored.max() < 1
