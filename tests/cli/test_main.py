"""What every command has in common: help at once, quiet progress, and one sentence for what a user can mend."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMANDS = ("compare", "status", "fit", "predict", "explain", "list", "demo")
HELP = """
import io, json, sys, time
from contextlib import redirect_stdout
from foveola.cli import main
pages = {}
for command in ["", "compare", "status", "fit", "predict", "explain", "list", "demo"]:
    sys.argv = ["foveola", *filter(None, [command]), "--help"]
    pages[command] = io.StringIO()
    try:
        with redirect_stdout(pages[command]):
            main()
    except SystemExit as end:
        assert not end.code
print(json.dumps({
    "pages": {command: page.getvalue() for command, page in pages.items()},
    "modules": sorted(sys.modules),
    "seconds": time.process_time(),
}))
"""


@pytest.fixture(scope="module")
def helped() -> dict[str, Any]:
    """The help of every command, printed by one fresh process, and what that took."""
    environment = {**os.environ, "COLUMNS": "120"}
    result = subprocess.run(
        [sys.executable, "-c", HELP], capture_output=True, text=True, env=environment, timeout=120, check=True
    )
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_examples(helped: dict[str, Any], command: str) -> None:
    page = helped["pages"][command]
    assert f"Usage: foveola {command}" in page
    assert "Example" in page
    assert page.count(f"foveola {command}") >= 2, "no example of a command that can be typed"
    assert command in helped["pages"][""]


def test_help_is_quick(helped: dict[str, Any]) -> None:
    """All pages together, in time of the processor."""
    assert helped["seconds"] < 2
    slow = {"torch", "lightning", "timm", "torchvision", "pandas", "sklearn", "scipy", "matplotlib", "statsmodels"}
    assert not slow & set(helped["modules"])


def test_python_m_foveola_is_foveola() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "foveola", "list", "nothing"], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert "nothing" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "--epochs", "many"), "--epochs"),
        (("compare", "--seeds", "2.5"), "--seeds"),
        (("compare", "--protocol", "kfld"), "kfold"),
        (("compare", "--lr", "fast"), "--lr"),
        (("compare", "--fodls", "3"), "--folds"),
        (("fit", "--arm"), "--arm"),
        (("status",), "run"),
        (("predict",), "model"),
        (("predict", "model"), "images"),
        (("explain", "model"), "images"),
        (("explain", "model", "images", "--limit", "0"), "--limit"),
        (("list", "arm"), "arms"),
        (("demo", "--seeds", "0"), "--seeds"),
        (("compar",), "compar"),
    ],
)
def test_what_cannot_be_parsed_is_a_matter_of_usage(
    foveola: Callable[..., Any], arguments: tuple[str, ...], message: str
) -> None:
    answer = foveola(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "Error" in answer.err
    assert message in answer.err.lower()
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run.yaml"),
            "got 'No space left on device', in run.yaml; free some space and give the same command again",
        ),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "; free some space and give the same command again"),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "runs"),
            "got 'Permission denied', in runs; check the path and its permissions",
        ),
        (OSError("a strange device"), "got 'a strange device'; check the path and its permissions"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, error: OSError, sentence: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("foveola.inference.prediction.predict", fail)
    assert refused("predict", "model", "images").endswith(sentence)


def test_what_is_our_own_mistake_is_not_hidden(foveola: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("foveola.inference.prediction.predict", fail)
    with pytest.raises(ZeroDivisionError):
        foveola("predict", "model", "images")


def test_a_disk_that_is_full_in_earnest(
    foveola: Callable[..., Any], draw_folder: Callable[..., Any], small: tuple[str, ...]
) -> None:
    """The limit is smaller than a checkpoint and larger than what comes before it."""
    resource = pytest.importorskip("resource", reason="no limits on files here")
    command = ("compare", "--data", draw_folder(), "--arm", "plain", *small, "--out", "run")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        answer = foveola(*command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert answer.code == 2
    assert answer.err == (
        "foveola: expected to read and write files, got 'File too large', in "
        f"{Path('run/fits/plain/0-0/last.ckpt').absolute()}; free some space and give the same command again\n"
    )
    assert foveola(*command).code == 0
