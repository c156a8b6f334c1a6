"""Files are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from foveola.foundation import atomic

Writer = Callable[[Path], None]

WRITERS: dict[str, Writer] = {
    "note.txt": lambda path: atomic.write_text(path, "new\n"),
    "note.json": lambda path: atomic.write_json(path, {"b": 1, "a": "ü"}),
    "note.yaml": lambda path: atomic.write_yaml(path, {"b": 1, "a": "ü"}),
    "note.csv": lambda path: atomic.write_csv(path, pd.DataFrame({"b": [1], "a": ["ü"]})),
    "note.npy": lambda path: atomic.write_array(path, np.arange(77.0).reshape(7, 11)),
}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        write(tmp_path / "sub" / name)
    folder = tmp_path / "sub"
    assert sorted(path.name for path in folder.iterdir()) == sorted(WRITERS)
    assert (folder / "note.txt").read_bytes() == b"new\n"
    assert list(json.loads((folder / "note.json").read_text(encoding="utf-8")).items()) == [("b", 1), ("a", "ü")]
    assert list(yaml.safe_load((folder / "note.yaml").read_text(encoding="utf-8")).items()) == [("b", 1), ("a", "ü")]
    assert (folder / "note.csv").read_bytes() == "b,a\n1,ü\n".encode()
    assert np.array_equal(np.load(folder / "note.npy", allow_pickle=False), np.arange(77.0).reshape(7, 11))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("there_before", [True, False])
@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.open"])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, there_before: bool, broken: str
) -> None:
    if there_before:
        (tmp_path / name).write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(broken, full)
        with pytest.raises(OSError, match="No space left") as caught:
            WRITERS[name](tmp_path / name)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == ([name] if there_before else [])
    assert not there_before or (tmp_path / name).read_text() == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
@pytest.mark.parametrize("kind", ["text", "array", "csv"])
def test_a_real_limit_says_what_it_is(tmp_path: Path, kind: str) -> None:
    """Writes more than the system lets a file hold, in a process of its own."""
    write = {
        "text": "write_text(path, 'x' * 9000)",
        "array": "write_array(path, np.zeros(9000))",
        "csv": "write_csv(path, pd.DataFrame({'x': np.zeros(9000)}))",
    }[kind]
    (tmp_path / "big").write_text("old")
    code = f"""
import errno, resource, sys
import numpy as np, pandas as pd
from foveola.foundation.atomic import write_text, write_array, write_csv
path = {str(tmp_path / "big")!r}
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    {write}
except OSError as error:
    sys.exit(0 if (error.errno, error.filename) == (errno.EFBIG, path) else 3)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("big", "old")]


def test_a_folder_that_fails_half_way_is_removed(tmp_path: Path) -> None:
    def build() -> None:
        with atomic.replacing(tmp_path / "set") as temporary:
            temporary.mkdir()
            (temporary / "part").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "note").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        atomic.write_text(tmp_path / "note", "new")
    assert caught.value.filename == str(tmp_path / "note")
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_the_temporary_file_lies_beside_with_the_same_suffix(tmp_path: Path) -> None:
    with atomic.replacing(str(tmp_path / "note.png")) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"1")
    assert (tmp_path / "note.png").read_bytes() == b"1"


@given(st.lists(st.floats(0, width=32, allow_infinity=False), min_size=1))
def test_float32_survives_a_csv(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    path = tmp_path_factory.getbasetemp() / "floats.csv"
    atomic.write_csv(path, pd.DataFrame({"value": np.array(values, np.float32)}))
    first = path.read_bytes()
    back = pd.read_csv(path)["value"].to_numpy()
    assert np.array_equal(back.astype(np.float32), np.array(values, np.float32))
    atomic.write_csv(path, pd.DataFrame({"value": back.astype(np.float64)}))
    assert path.read_bytes() == first, "reading and writing again changes the bytes"
