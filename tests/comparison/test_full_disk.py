"""A disk that is full at any write costs nothing that was there, and the same command goes on afterwards."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from foveola.comparison import compare
from foveola.protocol import RunConfiguration

Configure = Callable[..., RunConfiguration]
Contents = Callable[[Path], dict[str, tuple[int, bytes]]]


def failure(configuration: RunConfiguration, folder: Path) -> OSError | None:
    try:
        compare(configuration, folder)
    except OSError as error:
        return error
    return None


@pytest.mark.usefixtures("no_pictures")
def test_every_write_may_fail_once(
    configure: Configure, contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = configure()
    compare(configuration, tmp_path / "undisturbed")
    monkeypatch.setenv("FOVEOLA_CACHE", str(tmp_path / "cache"))
    failed: list[str] = []
    rename = Path.replace

    def full_once(source: Path, target: Path) -> Path:
        """Fails the first time that a file is to get its name."""
        name = str(target.relative_to(tmp_path))
        if name not in failed:
            failed.append(name)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source))
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", full_once)
    run, before = tmp_path / "run", dict[str, bytes]()
    while error := failure(configuration, run):
        assert (error.errno, error.filename) == (errno.ENOSPC, str(tmp_path / failed[-1]))
        now = {name: content for name, (_, content) in contents(run).items() if "tensorboard" not in name}
        assert not [name for name in now if "partial" in name]
        for name, content in before.items():
            if not name.endswith(("last.ckpt", "history.csv")):  # which go on epoch by epoch
                assert now[name] == content, f"{name} was changed when {failed[-1]} could not be written"
        before = now
    names = {Path(name).name for name in failed}
    assert {"run.yaml", "manifest.json", "splits.csv", "pixels.npy", "last.ckpt", "history.csv", "done"} <= names
    assert {"model.safetensors", "model.json", "map-before.npy", "map.npy", "global-sd.npy", "results.csv"} <= names
    for name in ("predictions.csv", "results.csv", "comparisons.csv", "fits/global/0-0/model.safetensors"):
        assert (run / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name
