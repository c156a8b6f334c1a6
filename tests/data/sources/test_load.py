from __future__ import annotations

from pathlib import Path

import pytest

from foveola.data import SOURCES, load_cohort
from foveola.data.sources.load import TAKES
from foveola.foundation.errors import FoveolaError


def test_every_source_is_registered() -> None:
    assert set(SOURCES) == {
        "folder",
        "table",
        "npz",
        "idrid",
        "jaffe",
        "medmnist",
        "digits",
        "phantom",
        "pairs",
        "chase",
        "isic2017",
    }
    assert set(TAKES) <= set(SOURCES)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("digit", "expected a known data source, got 'digit', in --data; did you mean 'digits'"),
        ("idird:/scans", "did you mean 'idrid'"),
        ("", "expected a folder, a .csv or .npz file, or a source, got '', which does not exist"),
        ("scans/absent", "got 'scans/absent', which does not exist, in --data; check the path"),
        ("absent.csv", "got 'absent.csv', which does not exist"),
        ("folder:absent", "expected a folder, got nothing of that name, in absent"),
        ("table", "expected a file or folder, got none, in --data table"),
        ("digits:seed=3", "expected no options, got 'seed'"),
        ("idrid:x,tsk=dme", "did you mean 'task'"),
    ],
)
def test_what_cannot_be_loaded(data: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        load_cohort(data)


def test_files_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "one.png").touch()
    for name in ("notes.txt", "one.png"):
        with pytest.raises(
            FoveolaError, match=r"expected a folder, a .csv or an .npz file, got .*see `foveola list data`"
        ):
            load_cohort(str(tmp_path / name))


@pytest.mark.parametrize("data", ["folder:x", "npz:x", "jaffe:x", "medmnist:x", "digits", "phantom"])
def test_a_label_is_refused_where_it_has_no_use(data: str) -> None:
    with pytest.raises(FoveolaError, match=f"expected no --label, got one, in --data {data.split(':')[0]}"):
        load_cohort(data, label="md")
    with pytest.raises(FoveolaError, match="expected no --bins"):
        load_cohort(data, bins=(-6.0,))
