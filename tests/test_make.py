"""What the Makefile does about the environment, with stand-ins for Python that write down how they were called."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

OUTSIDE = """#!/bin/sh
echo "outside: $*" >> {log}
case "$*" in
  *"-m venv"*) rm -rf {venv}; mkdir -p {venv}/bin; cp {inside} {venv}/bin/python ;;
esac
"""
INSIDE = """#!/bin/sh
echo "inside: $*" >> {log}
case "$*" in
  *install*) [ ! -e {folder}/killed ] || kill -9 $$; [ ! -e {folder}/offline ] || exit 1 ;;
esac
"""
NEW = ["outside: -m venv --clear {venv}"]
DEV = ["inside: -m pip install --no-input --disable-pip-version-check --editable .[dev]"]
PLAIN = ["inside: -m pip install --no-input --disable-pip-version-check --editable ."]


@dataclass
class Workbench:
    """A folder with a virtual environment that is none, and a log of the calls."""

    folder: Path

    @property
    def venv(self) -> Path:
        return self.folder / "venv"

    def make(self, stamp: str, *, ok: bool = True) -> list[str]:
        """Brings one stamp up to date and returns the calls that made or installed something."""
        log = self.folder / "log"
        log.write_text("", encoding="utf-8")
        command = ["make", f"PYTHON={self.folder / 'outside'}", f"VENV={self.venv}", str(self.venv / stamp)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert (finished.returncode == 0) is ok, finished.stderr
        calls = log.read_text(encoding="utf-8").replace(str(self.venv), "{venv}").splitlines()
        return [call for call in calls if "-m venv" in call or "-m pip install" in call]

    def age(self) -> None:
        """Makes pyproject.toml newer than the stamps."""
        for stamp in self.venv.glob("installed*"):
            os.utime(stamp, (1, 1))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    if shutil.which("make") is None:
        pytest.skip("make is not on this machine")
    for name, script in (("outside", OUTSIDE), ("inside", INSIDE)):
        path = tmp_path / name
        paths = {"log": tmp_path / "log", "venv": tmp_path / "venv", "inside": tmp_path / "inside", "folder": tmp_path}
        path.write_text(script.format(**paths), encoding="utf-8")
        path.chmod(0o755)
    return Workbench(tmp_path)


def test_the_first_call_sets_up_and_the_second_does_nothing(bench: Workbench) -> None:
    assert bench.make("installed-dev") == NEW + DEV
    assert bench.make("installed-dev") == []


def test_the_install_with_dev_serves_both(bench: Workbench) -> None:
    assert bench.make("installed") == NEW + PLAIN
    assert bench.make("installed-dev") == DEV
    assert bench.make("installed") == []


def test_a_changed_project_file_installs_into_the_same_environment(bench: Workbench) -> None:
    bench.make("installed-dev")
    bench.age()
    assert bench.make("installed-dev") == DEV


def test_an_install_that_was_killed_is_begun_anew(bench: Workbench) -> None:
    bench.make("installed")
    (bench.folder / "killed").touch()
    assert bench.make("installed-dev", ok=False) == DEV
    (bench.folder / "killed").unlink()
    assert bench.make("installed") == NEW + PLAIN
    assert bench.make("installed") == []


def test_an_install_that_failed_leaves_the_environment(bench: Workbench) -> None:
    bench.make("installed")
    (bench.folder / "offline").touch()
    assert bench.make("installed-dev", ok=False) == DEV
    assert bench.make("installed") == []
    (bench.folder / "offline").unlink()
    assert bench.make("installed-dev") == DEV


def test_an_environment_whose_python_is_gone_is_made_anew(bench: Workbench) -> None:
    bench.make("installed-dev")
    python = bench.venv / "bin" / "python"
    python.unlink()
    python.symlink_to(bench.folder / "nowhere")
    assert bench.make("installed-dev") == NEW + DEV
