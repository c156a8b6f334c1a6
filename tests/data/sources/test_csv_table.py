from __future__ import annotations

from pathlib import Path

import pytest

from foveola.data.sources.csv_table import column, header_of, read_csv
from foveola.foundation.errors import FoveolaError


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "labels.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_spaces_empty_columns_and_empty_rows_are_forgiven(tmp_path: Path) -> None:
    path = written(tmp_path, '\ufefffile , label ,,,\r\n a.png , x ,,,\r\n\r\n,,,,\r\n"b, c.png",NaN\r\n')
    table = read_csv(path)
    assert table.columns.tolist() == ["file", "label"]
    assert table["file"].tolist() == ["a.png", "b, c.png"]
    assert table["label"].tolist() == ["x", ""]
    assert table.index.tolist() == [2, 5]
    assert header_of(path)[:2] == ["file", "label"]


@pytest.mark.parametrize("text", ["", "nan", "NA", "n/a", "NULL", "<NA>", "  "])
def test_what_says_missing_is_missing(tmp_path: Path, text: str) -> None:
    assert read_csv(written(tmp_path, f"file,label\na.png,{text}\n"))["label"].tolist() == [""]


def test_none_is_a_word(tmp_path: Path) -> None:
    assert read_csv(written(tmp_path, "file,label\na.png,None\n"))["label"].tolist() == ["None"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a header and at least one row, got 0 lines"),
        (b"file,label\n", "expected a header and at least one row, got 1 lines"),
        (b"file,label\na.png,caf\xe9\n", "expected a CSV file in UTF-8"),
        (b"file,label, label\na.png,x,y\n", "expected every column once, got 'label' twice"),
        (b"file,label\na.png,x\nb.png,y,z\n", "expected 2 values in a row, got 3 in line 3"),
        (b'file,label\na.png,"x\n', "expected a readable CSV file"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(FoveolaError, match=message) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)


def test_a_missing_column_lists_those_there_are_and_the_nearest(tmp_path: Path) -> None:
    path = written(tmp_path, "file,Lable,split\na.png,x,train\n")
    with pytest.raises(FoveolaError) as caught:
        column(read_csv(path), "label", path, "rename it")
    assert "expected a column 'label', got only file, Lable, split (did you mean 'Lable'?)" in str(caught.value)
    with pytest.raises(FoveolaError, match="got only file, Lable, split, in"):
        column(read_csv(path), "md", path, "rename it")
