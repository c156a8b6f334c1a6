from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import foveola
from foveola.foundation.errors import FoveolaError
from foveola.foundation.plugins import PLUGINS
from foveola.protocol import PlannedFit, RunConfiguration, RunFolder
from foveola.protocol.run.run_folder import default_folder

Configure = Callable[..., RunConfiguration]
Contents = Callable[[Path], dict[str, tuple[int, bytes]]]

SPLITS = pd.DataFrame(
    {"sample": ["007", "b"], "group": ["p1", ""], "label": ["NA", "2"], "fold": [0, 0], "role": ["train", "test"]}
)
FIT = PlannedFit("l1-fair", 2, 1)


@pytest.fixture
def begun(tmp_path: Path, configure: Configure) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.open(configure(), SPLITS, "abc", ["foveola", "compare", "--data", "x y"])
    return run


def test_a_run_begins_with_three_files(begun: RunFolder, configure: Configure) -> None:
    assert sorted(path.name for path in begun.path.iterdir()) == ["manifest.json", "run.yaml", "splits.csv"]
    assert yaml.safe_load((begun.path / "run.yaml").read_text()) == configure().model_dump(mode="json")
    assert (begun.path / "splits.csv").read_text().splitlines()[:2] == [
        "sample,group,label,fold,role",
        "007,p1,NA,0,train",
    ]
    manifest = json.loads((begun.path / "manifest.json").read_text())
    assert manifest["command"] == ["foveola", "compare", "--data", "x y"]
    assert (manifest["schema_version"], manifest["data_fingerprint"], manifest["seeds"]) == (2, "abc", [0])
    assert manifest["packages"]["foveola"] == foveola.__version__
    assert manifest["plugins"] == PLUGINS
    assert {"torch", "numpy", "lightning", "timm"} <= set(manifest["packages"])
    assert manifest["python"] == sys.version.split()[0]


def test_the_same_run_goes_on_and_changes_nothing(begun: RunFolder, configure: Configure, contents: Contents) -> None:
    before = contents(begun.path)
    begun.open(configure(), SPLITS, "abc", ["another", "command"])
    assert contents(begun.path) == before


@pytest.mark.parametrize(
    ("arms", "options", "message"),
    [
        (["plain", "global"], {"training.epochs": 3}, r"training\.epochs = 2, got 3, in .*run\.yaml; choose another"),
        (["plain", "global"], {"backbone.stem": "small"}, r"backbone\.stem = 'auto', got 'small'"),
        (["plain", "global"], {"global.hidden": 6}, r"arms\.global\.hidden = 5, got 6"),
        (["plain", "global"], {"seeds": 4}, "seeds = 1, got 4"),
        (["plain", "global"], {"bins": [1, 2]}, r"bins = \[\], got \[1.0, 2.0\]"),
        (["plain", "global", "l1"], {}, r"arms\.l1 = None, got {}"),
        (["global"], {}, r"arms\.plain = {}, got None"),
        (["global", "plain"], {}, r"arms = \['plain', 'global'\], got \['global', 'plain'\]"),
    ],
)
def test_other_settings_are_named_and_nothing_is_changed(
    begun: RunFolder, configure: Configure, contents: Contents, arms: list[str], options: dict[str, Any], message: str
) -> None:
    before = contents(begun.path)
    with pytest.raises(FoveolaError, match=f"the settings of the run that is there, {message}"):
        begun.open(configure(arms, options), SPLITS, "abc", [])
    assert contents(begun.path) == before


def test_other_data_or_another_split_is_refused(begun: RunFolder, configure: Configure, contents: Contents) -> None:
    before = contents(begun.path)
    with pytest.raises(FoveolaError, match="the images and labels of the run that is there, got changed ones"):
        begun.open(configure(), SPLITS, "abd", [])
    for column, values in (("role", ["test", "train"]), ("group", ["p2", ""]), ("sample", ["7", "b"])):
        with pytest.raises(
            FoveolaError, match=r"the split of the run .*, got another one, in .*splits\.csv; .*--split"
        ):
            begun.open(configure(), SPLITS.assign(**{column: values}), "abc", [])
    assert contents(begun.path) == before


@pytest.mark.parametrize("name", ["run.yaml", "splits.csv", "manifest.json"])
@pytest.mark.parametrize("damage", [b"", b"{", b"[1", b"\xff\xfe\x00"])
def test_damaged_files_are_named(begun: RunFolder, configure: Configure, name: str, damage: bytes) -> None:
    (begun.path / name).write_bytes(damage)
    with pytest.raises(FoveolaError, match=rf"in .*{name}; choose another --out"):
        begun.open(configure(), SPLITS, "abc", [])
    assert (begun.path / name).read_bytes() == damage


@pytest.mark.parametrize("name", ["run.yaml", "splits.csv"])
def test_missing_files_are_named(begun: RunFolder, configure: Configure, name: str) -> None:
    (begun.path / name).unlink()
    with pytest.raises(FoveolaError, match=f"a missing or damaged one, in .*{name}"):
        begun.open(configure(), SPLITS, "abc", [])


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"1")
    with pytest.raises(FoveolaError, match="got a folder with other files"):
        RunFolder(tmp_path).open(configure(), SPLITS, "abc", [])
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("left", [[".run.7.partial.yaml"], ["run.yaml"], ["run.yaml", "splits.csv"]])
def test_what_was_killed_while_it_began_begins_anew(tmp_path: Path, configure: Configure, left: list[str]) -> None:
    for name in left:
        (tmp_path / name).write_text("half")
    RunFolder(tmp_path).open(configure(), SPLITS, "abc", [])
    assert yaml.safe_load((tmp_path / "run.yaml").read_text()) == configure().model_dump(mode="json")
    assert json.loads((tmp_path / "manifest.json").read_text())["data_fingerprint"] == "abc"


def test_a_fit_is_done_when_it_says_so(begun: RunFolder) -> None:
    folder = begun.fit(FIT)
    assert folder == begun.path / "fits" / "l1-fair" / "2-1"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    (folder / ".done.7.partial").touch()
    assert not begun.is_done(FIT)
    (folder / "done").write_text('{"seconds": 1.25}')
    assert begun.is_done(FIT)
    assert begun.seconds(FIT) == 1.25


def test_a_run_without_a_name_is_named_after_its_data_and_settings(configure: Configure) -> None:
    folder = default_folder(configure())
    assert folder.parent == Path("runs")
    assert folder.name.startswith("scans.npz-")
    assert folder == default_folder(configure())
    assert folder != default_folder(configure(options={"seeds": 2}))
    for data, name in (
        ("idrid:/x/B. Grading,task=dme", "B.-Grading-task-dme"),
        ("phantom:n=9", "phantom-n-9"),
        ("/", "run"),
        ("scans/", "scans"),
    ):
        assert default_folder(configure(options={"data": data})).name.rpartition("-")[0] == name
