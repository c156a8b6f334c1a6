from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveola.data import load_cohort
from foveola.data.splits.splits import holdout
from foveola.foundation.errors import FoveolaError

ROWS = [
    "file,label,split,group,laterality,md",
    "s/eye10.png,late,train,p1,OD,-12",
    "s/eye9.png,early,train,p2,left,-20",
    "s/eye2.png,late,Test,p3,,-5.5",
    "eye 1.png,early,validation,p3,R,-6",
]


def written(root: Path, rows: list[str], name: str = "labels.csv", draw: bool = True) -> Path:
    for place in range(1, 5) if draw else ():
        file = root / ["s/eye10.png", "s/eye9.png", "s/eye2.png", "eye 1.png"][place - 1]
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((12, 10), place, np.uint8)).save(file)
    (root / name).write_text("\n".join(rows) + "\n")
    return root / name


def test_every_column_is_read(tmp_path: Path) -> None:
    cohort = load_cohort(str(written(tmp_path, ROWS, "oct.csv")))
    assert cohort.name == "oct"
    assert cohort.classes == ("early", "late")
    assert cohort.table.to_dict("list") == {
        "sample": ["s/eye10.png", "s/eye9.png", "s/eye2.png", "eye 1.png"],
        "label": [1, 0, 1, 0],
        "group": ["p1", "p2", "p3", "p3"],
        "split": ["train", "train", "test", "val"],
        "laterality": ["R", "L", "", "R"],
    }
    assert [int(cohort.images.read(index)[0, 0]) for index in range(4)] == [1, 2, 3, 4]


def test_a_folder_stands_for_its_one_table(tmp_path: Path) -> None:
    written(tmp_path, ROWS)
    (tmp_path / "patients.csv").write_text("patient,age\np1,60\n")
    cohort = load_cohort(str(tmp_path))
    assert cohort.name == tmp_path.name
    assert len(cohort) == 4
    written(tmp_path, ROWS, "second.csv")
    with pytest.raises(FoveolaError, match=r"expected one CSV with a column 'file', got labels.csv, second.csv"):
        load_cohort(str(tmp_path))
    with pytest.raises(FoveolaError, match="expected one CSV with a column 'file', got none"):
        load_cohort(f"table:{tmp_path / 's'}")


def test_only_file_and_label_are_needed(tmp_path: Path) -> None:
    rows = [",".join(row.split(",")[:2]) for row in ROWS]
    table = load_cohort(str(written(tmp_path, rows))).table
    assert table["split"].tolist() == table["group"].tolist() == table["laterality"].tolist() == [""] * 4


def test_optional_columns_may_be_empty_altogether(tmp_path: Path) -> None:
    rows = [ROWS[0], *(row.split(",")[0] + "," + row.split(",")[1] + ",,,,1" for row in ROWS[1:])]
    table = load_cohort(str(written(tmp_path, rows))).table
    assert table["split"].tolist() == table["group"].tolist() == [""] * 4


def test_another_column_and_thresholds(tmp_path: Path) -> None:
    written(tmp_path, [*ROWS, "s/b.png,early,test,p4,L,-13", "s/a.png,early,test,p5,L,-7"])
    for name in ("a", "b"):
        Image.fromarray(np.zeros((12, 10), np.uint8)).save(tmp_path / "s" / f"{name}.png")
    cohort = load_cohort(str(tmp_path), label="md", bins=(-12, -6))
    assert cohort.classes == ("md < -12", "-12 <= md < -6", "md >= -6")
    assert cohort.table["label"].tolist() == [1, 0, 2, 2, 0, 1]
    with pytest.raises(FoveolaError, match="got 0 of class 'md < -30'"):
        holdout(load_cohort(str(tmp_path), label="md", bins=(-30, -6)))


def test_without_labels_the_label_column_is_not_read(tmp_path: Path) -> None:
    rows = [row.replace("label", "diagnosis") for row in ROWS]
    cohort = load_cohort(str(written(tmp_path, rows)), labelled=False)
    assert cohort.classes == ()
    assert cohort.table["label"].tolist() == [-1] * 4
    assert cohort.table["group"].tolist() == ["p1", "p2", "p3", "p3"]


def test_paths_of_windows_and_with_dots(tmp_path: Path) -> None:
    rows = [row.replace("s/eye10", "s\\eye10").replace("s/eye9", "./s/eye9") for row in ROWS]
    samples = load_cohort(str(written(tmp_path, rows))).table["sample"].tolist()
    assert samples[:2] == ["s/eye10.png", "s/eye9.png"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("file,label", "file,lable", r"a column 'label', got only .*did you mean 'lable'\?"),
        ("file,label", "path,label", "expected a column 'file', got only path, label"),
        ("s/eye9.png,early", "s/eye9.png,", r"expected a label in every row, got none in line 3 \(the first of 1\)"),
        ("s/eye9.png,early", "s/eye9.png,NaN", "expected a label in every row, got none in line 3"),
        ("s/eye9.png,early", ",early", "expected a file in every row, got none in line 3"),
        ("s/eye9", "s/eye8", "got 1 that do not exist, the first 's/eye8.png' in line 3"),
        ("Test", "holdout", "expected a known split, got 'holdout', in .*labels.csv, line 4"),
        ("Test", "", "expected a split in every row, got none in line 4"),
        ("left", "both", "expected a known laterality, got 'both', in .*labels.csv, line 3"),
        ("p2", "", "expected a group in every row, got none in line 3"),
        ("s/eye9.png", "./s/eye10.png", "expected every sample once, got 's/eye10.png' 2 times"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, old: str, new: str, message: str) -> None:
    written(tmp_path, [row.replace(old, new) for row in ROWS])
    with pytest.raises(FoveolaError, match=message):
        load_cohort(f"table:{tmp_path / 'labels.csv'},extra=ignore")


def test_numbers_that_are_missing_or_too_many(tmp_path: Path) -> None:
    written(tmp_path, [row.replace("-5.5", "NaN") for row in ROWS])
    with pytest.raises(FoveolaError, match="expected a md in every row, got none in line 4"):
        load_cohort(str(tmp_path), label="md", bins=(-12, -6))
    written(tmp_path, ROWS)
    with pytest.raises(FoveolaError, match="expected ascending thresholds, got -6,-12, in --bins"):
        load_cohort(str(tmp_path), label="md", bins=(-6, -12))
    with pytest.raises(FoveolaError, match="expected numbers in column 'label', got 'late' in line 2"):
        load_cohort(str(tmp_path), bins=(-6,))


def test_images_without_a_row(tmp_path: Path) -> None:
    path = written(tmp_path, [*ROWS[:3], "s/eye2.png,early,test,p3,,0", "s/eye10b.png,late,test,p9,,1"])
    (tmp_path / "s" / "eye10b.png").write_bytes((tmp_path / "s" / "eye10.png").read_bytes())
    (tmp_path / "s" / "notes.txt").touch()
    with pytest.raises(FoveolaError) as caught:
        load_cohort(str(path))
    assert "got 1 files without labels, the first 'eye 1.png'" in str(caught.value)
    assert str(caught.value).endswith(f"add rows, or pass --data table:{path},extra=ignore")
    assert len(load_cohort(f"table:{path},extra=ignore")) == 4
    with pytest.raises(FoveolaError, match="option extra"):
        load_cohort(f"table:{path},extra=yes")


def test_real_chest_x_rays(real_data: Path) -> None:
    cohort = load_cohort(f"table:{real_data / 'chest-xray'}")
    assert cohort.name == "chest-xray"
    assert cohort.classes == ("bacterial", "normal", "viral")
    assert cohort.table["label"].value_counts().sort_index().tolist() == [639, 879, 409]
    assert cohort.table["split"].value_counts().to_dict() == {"train": 1351, "test": 383, "val": 193}
    assert cohort.images.header(1926) == (320, 240, 1)
    image = cohort.images.read(1926)
    assert image.shape == (240, 320)
    assert image.std() > 10
    named = cohort.table["sample"].str.split("/").str[0]
    assert named.tolist() == [cohort.classes[label] for label in cohort.table["label"]]
