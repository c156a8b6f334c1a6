"""Reading split tables from files; how they are made is tested in ``test_splits.py``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from foveola.data.cohort import Cohort, sample_table
from foveola.data.splits.splits import holdout, kfold, read_split_file
from foveola.foundation.atomic import write_csv
from foveola.foundation.errors import FoveolaError


class NoImages:
    """Seven images that nobody may look at."""

    def __len__(self) -> int:
        return 7

    read = digest = where = pytest.fail


@pytest.fixture
def seven() -> Cohort:
    groups = ["p", "p", "", "", "", "", ""]
    table = sample_table([f"s{i}" for i in range(7)], [0, 1, 0, 1, 0, 1, 0], groups=groups)
    return Cohort("set", ("normal", "ill"), table, NoImages())


def write(folder: Path, *lines: str) -> Path:
    path = folder / "splits.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_what_was_saved_is_read_back(tmp_path: Path, seven: Cohort) -> None:
    for splits in (holdout(seven, val_fraction=0.3), kfold(seven, folds=3)):
        write_csv(tmp_path / "splits.csv", splits)
        pd.testing.assert_frame_equal(read_split_file(tmp_path / "splits.csv", seven), splits)


@pytest.mark.parametrize("column", ["role", "split", " split "])
def test_a_simple_table_of_roles(tmp_path: Path, seven: Cohort, column: str) -> None:
    roles = ["train", "train", "test", "val", "train", "test ", "train"]
    lines = [f"{name},{role},x" for name, role in zip(seven.table["sample"], roles, strict=True)]
    splits = read_split_file(write(tmp_path, f"sample,{column},note", *reversed(lines)), seven)
    assert splits["role"].tolist() == [role.strip() for role in roles]
    assert splits["sample"].tolist() == seven.table["sample"].tolist()
    assert splits["label"].tolist() == ["normal", "ill", "normal", "ill", "normal", "ill", "normal"]


def test_a_simple_table_of_folds_tests_each_in_turn(tmp_path: Path, seven: Cohort) -> None:
    folds = [3, 3, 1, 1, 2, 2, 2]
    path = write(tmp_path, "fold,sample", *(f"{fold},s{i}" for i, fold in enumerate(folds)))
    splits = read_split_file(path, seven)
    assert splits["fold"].tolist() == [1] * 7 + [2] * 7 + [3] * 7
    expected = ["test" if fold == tested else "train" for tested in (1, 2, 3) for fold in folds]
    assert splits["role"].tolist() == expected


GOOD = [f"s{i},{'test' if i in (3, 6) else 'train'}" for i in range(7)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["sample,role", *GOOD, "who,train"], "1 that are not, the first 'who'"),
        (["sample,role", *GOOD[:4]], "got 3 that are missing, the first 's4'"),
        (["sample,role", *GOOD, "s2,train"], "1 that come twice, the first 's2'"),
        (["sample,role", "s0,trian", *GOOD[1:]], "'trian', .*did you mean 'train'"),
        (["sample,role", "s0,", *GOOD[1:]], "choose one of test, train, unused, val"),
        (["sample,role", "s0,test", *GOOD[1:]], "group 'p' both .* fold 0.*grouped=false"),
        (["sample,role", *(f"s{i},train" for i in range(7))], "no 'test' in fold 0"),
        (["sample,fold", *(f"s{i},0" for i in range(7))], "no 'train' in fold 0"),
        (["sample,fold", "s0,first", *(f"s{i},1" for i in range(1, 7))], "whole numbers.*'first'"),
        (["sample,fold,role", *(f"s{i},{i % 2},train" for i in range(7))], "got 3 that are missing, the first 's1'"),
        (["sample,label", *GOOD], "got sample,label"),
        ([], "a split table"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, seven: Cohort, lines: list[str], message: str) -> None:
    path = write(tmp_path, *lines)
    with pytest.raises(FoveolaError, match=message) as caught:
        read_split_file(path, seven)
    assert "splits.csv" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path, seven: Cohort) -> None:
    (tmp_path / "picture.csv").write_bytes(b"\xff\xd8\xff\xe0\x00")
    for name in ("nothing.csv", "picture.csv", "."):
        with pytest.raises(FoveolaError, match="--split-file"):
            read_split_file(tmp_path / name, seven)


def test_groups_may_be_split_by_a_file_if_asked_for(tmp_path: Path, seven: Cohort) -> None:
    path = write(tmp_path, "sample,role", "s0,test", *GOOD[1:])
    assert read_split_file(path, seven, grouped=False)["role"].tolist()[:2] == ["test", "train"]
