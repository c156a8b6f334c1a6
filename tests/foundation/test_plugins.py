"""Files outside the package that register arms."""

from __future__ import annotations

import os
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import foveola
from foveola import FoveolaError, load_plugin
from foveola.attention import ARMS
from foveola.cli import main

ARM = """
from foveola.attention import ARMS, Arm, ArmSettings

class Kept:
    pass

ARMS.add(Arm("{name}", "an arm from outside", ArmSettings, "none"))
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Starts in an empty folder, and takes back what is registered."""
    monkeypatch.setattr(ARMS, "_members", dict(ARMS._members))
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith("foveola_plugin")]:
        del sys.modules[name]


def write(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_its_arm_is_known_and_its_classes_can_be_pickled() -> None:
    module = load_plugin(write("own.py", ARM.format(name="own")))
    assert ARMS["own"].summary == "an arm from outside"
    assert type(pickle.loads(pickle.dumps(module.Kept()))) is module.Kept
    assert foveola.load_plugin is load_plugin


def test_a_file_is_loaded_once_however_it_is_named() -> None:
    first = load_plugin(write("own.py", ARM.format(name="own")))
    assert load_plugin(Path("own.py").resolve()) is first
    assert load_plugin("./own.py") is first


def test_files_whose_names_differ_in_a_sign_are_two() -> None:
    for name in ("a-b", "a_b"):
        load_plugin(write(f"{name}.py", ARM.format(name=name)))
        assert name in ARMS


def test_what_was_loaded_is_kept_with_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foveola.foundation.plugins.PLUGINS", kept := {})
    load_plugin(write("own.py", ARM.format(name="own")))
    assert list(kept) == ["own.py"]
    assert len(kept["own.py"]) == 32


def test_files_of_one_name_in_two_folders_are_two() -> None:
    for name in ("a", "b"):
        load_plugin(write(f"{name}/own.py", ARM.format(name=name)))
    assert {"a", "b"} <= set(ARMS)


@pytest.mark.parametrize(
    ("path", "got"), [("nix.py", "no such file"), ("folder", "a folder"), ("arm.txt", "another file")]
)
def test_what_is_no_python_file_is_refused(path: str, got: str) -> None:
    Path("folder").mkdir()
    Path("arm.txt").touch()
    with pytest.raises(
        FoveolaError, match=f"expected a Python file that registers an arm, got {got}, in {path}; check"
    ):
        load_plugin(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n\nx = = 2", "got SyntaxError: invalid syntax, in own.py, line 3; correct it there"),
        ("import torch\n\ntorch.zeros(2) @ torch.ones(3)", "got RuntimeError: .*, in own.py, line 3"),
        ("def f():\n    return 1 / 0\n\nf()", "got ZeroDivisionError: division by zero, in own.py, line 2"),
        ("import nothing_of_that_name", "got ModuleNotFoundError: No module named .*, in own.py, line 1"),
        (ARM.format(name="plain"), "got ValueError: arm 'plain' is registered twice, in own.py, line 7"),
    ],
)
def test_what_goes_wrong_in_it_is_said_with_its_line(text: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        load_plugin(write("own.py", text))
    assert not [name for name in sys.modules if name.startswith("foveola_plugin")]


def test_once_mended_it_loads() -> None:
    with pytest.raises(FoveolaError):
        load_plugin(write("own.py", "1 / 0"))
    load_plugin(write("own.py", ARM.format(name="own")))
    assert "own" in ARMS


def test_an_unknown_arm_may_need_its_file() -> None:
    with pytest.raises(
        FoveolaError, match=r"got 'zebra', in --arm; .* \(an arm of your own needs foveola --plugin FILE\)"
    ):
        ARMS["zebra"]


def listed(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["foveola", *options, "list", "attention"])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_command_loads_every_file_that_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(write(f"{name}.py", ARM.format(name=name))) for name in ("first", "second")]
    assert listed(monkeypatch, "--plugin", files[0], "--plugin", files[1]) == 0
    assert re.findall(r"(\w+) +none +nowhere +an arm from outside", capsys.readouterr().out) == ["first", "second"]


def test_the_environment_names_files_as_it_does_paths(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(write(f"{name}.py", ARM.format(name=name))) for name in ("first", "second")]
    monkeypatch.setenv("FOVEOLA_PLUGINS", os.pathsep.join(files))
    assert listed(monkeypatch) == 0
    assert capsys.readouterr().out.count("an arm from outside") == 2


def test_the_command_says_in_one_sentence_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write("own.py", "1 / 0")
    assert listed(monkeypatch, "--plugin", "own.py") == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "foveola: expected a plug-in that can be imported, got ZeroDivisionError: division by zero,"
    )
    assert error.count("\n") == 1
