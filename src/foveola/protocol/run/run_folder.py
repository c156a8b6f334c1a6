"""The run folder: where every number of a comparison comes from."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import torch
import yaml

from foveola.execution import DONE
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.foundation.plugins import PLUGINS
from foveola.foundation.settings import is_older, validated
from foveola.protocol.planning.plan import PlannedFit, plan
from foveola.protocol.settings.configuration import RunConfiguration, as_of_version

Kept = TypeVar("Kept")

SCHEMA = 2
VERSION = importlib.metadata.version("foveola")
PACKAGES = ("foveola", "torch", "torchvision", "timm", "lightning", "numpy", "scikit-learn", "opencv-python-headless")


@dataclass(frozen=True)
class RunFolder:
    """The files of one comparison.

    Attributes:
        path: The folder.
    """

    path: Path

    def fit(self, planned: PlannedFit) -> Path:
        """Returns the folder of one fit."""
        return self.path / "fits" / planned.name

    def is_done(self, planned: PlannedFit) -> bool:
        """Whether a fit is whole."""
        return (self.fit(planned) / DONE).is_file()

    def seconds(self, planned: PlannedFit) -> float:
        """Returns how long a finished fit took (its last part, if it was stopped between)."""
        return float(json.loads((self.fit(planned) / DONE).read_text(encoding="utf-8"))["seconds"])

    @property
    def version(self) -> str:
        """The version of Foveola that began the run.

        Raises:
            FoveolaError: If it wrote run folders of another kind, or the manifest is damaged.
        """
        manifest = _kept(self.path / "manifest.json", json.loads, dict)
        version = str(manifest.get("packages", {}).get("foveola", "0.1.0"))
        if manifest.get("schema_version") != SCHEMA:
            raise FoveolaError(
                f"a run folder of schema {SCHEMA}",
                f"one of schema {manifest.get('schema_version')}, written by foveola {version}",
                str(self.path),
                "go on with that version, or choose another --out",
            )
        return version

    def as_begun(self, configuration: RunConfiguration) -> RunConfiguration:
        """Returns a configuration as the version that began the run would have read it.

        Settings that were given stay; the others have the defaults of that version. Where no run was begun, or by this
        version, it is returned as it is.
        """
        if not (self.path / "manifest.json").is_file() or not is_older(self.version, VERSION):
            return configuration
        given = configuration.model_dump(mode="json", exclude_unset=True)
        return validated(RunConfiguration, as_of_version(given, self.version), "configuration")

    def configuration(self) -> RunConfiguration:
        """Returns the configuration of the run that is there.

        Raises:
            FoveolaError: If ``run.yaml`` is missing or damaged, or a later version wrote what this one does not know.
        """
        path, version = self.path / "run.yaml", self.version
        try:
            return validated(RunConfiguration, as_of_version(_kept(path, yaml.safe_load, dict), version), str(path))
        except FoveolaError as error:
            if is_older(VERSION, version):
                raise FoveolaError(
                    f"a run that foveola {VERSION} can read",
                    f"one written by foveola {version} ({error.got})",
                    str(path),
                    "go on with that version",
                ) from error
            raise

    def open(self, configuration: RunConfiguration, splits: pd.DataFrame, fingerprint: str, command: list[str]) -> None:
        """Begins a run, or goes on with one of the same settings, data and splits.

        Raises:
            FoveolaError: If the folder holds a run of other settings or data, or other files.
        """
        values = configuration.model_dump(mode="json")
        if (self.path / "manifest.json").is_file():
            self._check_same(values, splits, fingerprint)
            return
        visible = self.path.is_dir() and any(not path.name.startswith(".") for path in self.path.iterdir())
        if visible and not (self.path / "run.yaml").is_file():
            raise FoveolaError(
                "an empty folder, or one of an earlier run",
                "a folder with other files",
                str(self.path),
                "choose another --out",
            )
        atomic.write_yaml(self.path / "run.yaml", values)
        atomic.write_csv(self.path / "splits.csv", splits)
        atomic.write_json(self.path / "manifest.json", _manifest(configuration, splits, fingerprint, command))

    def check(self) -> None:
        """Raises a ``FoveolaError`` if the folder holds no run."""
        if not (self.path / "manifest.json").is_file():
            raise FoveolaError(
                "a run folder",
                "a folder without manifest.json" if self.path.is_dir() else "no such folder",
                str(self.path),
                "give the --out of a `foveola compare`, or one of runs/",
            )

    def check_data(self, fingerprint: str) -> None:
        """Raises a ``FoveolaError`` if the run was begun on other images or labels."""
        if _kept(self.path / "manifest.json", json.loads, dict).get("data_fingerprint") != fingerprint:
            raise FoveolaError(
                "the images and labels of the run that is there", "changed ones", str(self.path), "choose another --out"
            )

    def _check_same(self, values: dict[str, Any], splits: pd.DataFrame, fingerprint: str) -> None:
        before = self.configuration().model_dump(mode="json")
        for key, (old, new) in _differences(before, values).items():
            raise FoveolaError(
                f"the settings of the run that is there, {key} = {old!r}",
                repr(new),
                str(self.path / "run.yaml"),
                "choose another --out, or give the settings of that run",
            )
        self.check_data(fingerprint)
        if not _kept(self.path / "splits.csv", _table, pd.DataFrame).equals(splits.astype(str)):
            raise FoveolaError(
                "the split of the run that is there",
                "another one",
                str(self.path / "splits.csv"),
                "choose another --out, or give that file to --split-file",
            )


def _kept(path: Path, parse: Callable[[str], Any], kind: type[Kept]) -> Kept:
    """Returns what stands in a file of the run that is there."""
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        value = error
    if not isinstance(value, kind):
        raise FoveolaError("the file of a run", "a missing or damaged one", str(path), "choose another --out")
    return value


def read_splits(folder: Path) -> pd.DataFrame:
    """Returns the split table of a run folder.

    Raises:
        FoveolaError: If it is missing or damaged.
    """
    return _kept(folder / "splits.csv", _table, pd.DataFrame).astype({"fold": int})


def _table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def _differences(before: Any, now: Any, key: str = "") -> dict[str, tuple[Any, Any]]:
    """Returns every dotted key in which two nested settings differ, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for name in [*now, *(name for name in before if name not in now)]:
            found |= _differences(before.get(name), now.get(name), f"{key}.{name}" if key else name)
        if key == "arms" and list(before) != list(now) and not found:
            found[key] = (list(before), list(now))
        return found
    return {} if before == now else {key: (before, now)}


def _manifest(
    configuration: RunConfiguration, splits: pd.DataFrame, fingerprint: str, command: list[str]
) -> dict[str, Any]:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    return {
        "schema_version": SCHEMA,
        "command": command,
        "data_fingerprint": fingerprint,
        "seeds": sorted({fit.seed for fit in plan(configuration, splits)}),
        "device": device,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "plugins": dict(PLUGINS),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def default_folder(configuration: RunConfiguration) -> Path:
    """Returns the folder of a run that was given none: the same for the same configuration, so that it goes on."""
    values = json.dumps(configuration.model_dump(mode="json"), sort_keys=True)
    name = re.sub(r"[^\w.-]+", "-", Path(configuration.data.rstrip("/")).name or "run").strip("-")
    return Path("runs") / f"{name}-{hashlib.blake2b(values.encode(), digest_size=4).hexdigest()}"
