from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveola.data import load_cohort
from foveola.data.sources.datasets.idrid_eyes import RIGHT_EYES
from foveola.foundation.errors import FoveolaError

# How often each grade occurs in the published label files, in the order 0, 1, 2, ...
RETINOPATHY = {"train": (134, 20, 136, 74, 49), "test": (34, 5, 32, 19, 13)}
EDEMA = {"train": (177, 41, 195), "test": (45, 10, 48)}
PUBLISHED = ("B. Disease Grading", "1. Original Images", "a. Training Set", "b. Testing Set", "2. Groundtruths")
LABELS = {
    "train": "a. IDRiD_Disease Grading_Training Labels.csv",
    "test": "b. IDRiD_Disease Grading_Testing Labels.csv",
}


def grades(counts: Sequence[int], seed: int) -> list[int]:
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts)).tolist()


def build(root: Path, names: Sequence[str] = PUBLISHED, width: int = 15, counts: dict[str, int] | None = None) -> Path:
    """Writes the layout of the published archive with tiny images whose grey value is that of their number."""
    top, images, train, test, truth = names
    (root / top / truth).mkdir(parents=True)
    for split, folder in (("train", train), ("test", test)):
        (root / top / images / folder).mkdir(parents=True)
        retinopathy, edema = grades(RETINOPATHY[split], 1), grades(EDEMA[split], 2)
        count = (counts or {}).get(split, len(retinopathy))
        tail = "," * 9 if split == "train" else ""
        header = "Image name,Retinopathy grade,Risk of macular edema" + (" " if split == "train" else "")
        lines = [header + tail]
        for number in range(1, count + 1):
            picture = np.full((10, width), number % 200, np.uint8)
            Image.fromarray(picture).save(root / top / images / folder / f"IDRiD_{number:03d}.jpg", quality=95)
            stray = " " if split == "train" and number in (2, 405) else ""
            lines.append(f"IDRiD_{number:03d}{stray},{retinopathy[number - 1]},{edema[number - 1]}{tail}{stray}")
        (root / top / truth / LABELS[split]).write_bytes("\r\n".join([*lines, ""]).encode())
    (root / top / "CC-BY-4.0.txt").touch()
    return root


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("published"))


@pytest.mark.parametrize(("task", "counts", "name"), [("dr", RETINOPATHY, "DR"), ("dme", EDEMA, "DME")])
def test_the_published_archive(published: Path, task: str, counts: dict[str, tuple[int, ...]], name: str) -> None:
    cohort = load_cohort(f"idrid:{published / PUBLISHED[0]},task={task}")
    assert cohort.name == f"IDRiD {name}"
    assert cohort.classes == tuple(f"{name} {grade}" for grade in range(len(counts["train"])))
    for split, number in (("train", 413), ("test", 103)):
        rows = cohort.table[cohort.table["split"] == split]
        assert rows["sample"].tolist() == [f"{split}/IDRiD_{place:03d}" for place in range(1, number + 1)]
        assert rows["label"].tolist() == grades(counts[split], 1 if task == "dr" else 2)
        right = {int(sample[-3:]) - 1 for sample in rows["sample"][rows["laterality"] == "R"]}
        assert right == RIGHT_EYES[split]
        assert set(rows["laterality"]) == {"L", "R"}
    for index in (0, 199, 208, 412, 413, 515):  # the numbers begin again at 1
        number = index + 1 if index < 413 else index - 412
        assert abs(int(cohort.images.read(index)[5, 7]) - number % 200) <= 1


def test_the_task_may_be_given_as_the_label(published: Path) -> None:
    assert load_cohort(f"idrid:{published}", label="dme").name == "IDRiD DME"
    assert load_cohort(f"idrid:{published}").name == "IDRiD DR"
    assert load_cohort(f"idrid:{published},task=dme", label="dme").name == "IDRiD DME"
    with pytest.raises(FoveolaError, match="expected one task, got task=dr and --label dme"):
        load_cohort(f"idrid:{published},task=dr", label="dme")
    with pytest.raises(FoveolaError, match="expected a known task, got 'edema'"):
        load_cohort(f"idrid:{published},task=edema")
    with pytest.raises(FoveolaError, match="expected no --bins"):
        load_cohort(f"idrid:{published}", bins=(2.0,))


@pytest.mark.parametrize(
    "names",
    [
        ("B.%20Disease%20Grading/B. Disease Grading", *PUBLISHED[1:]),
        ("B._20Disease_20Grading/B. Disease Grading", *PUBLISHED[1:]),
        ("B. Disease Grading/B. Disease Grading", *PUBLISHED[1:]),
        ("Disease-Grading", "1-Original Images", "a-Training Set", "b-Testing Set", "2-Groundtruths"),
        ("x", "1.%20Original%20Images", "a.%20Training%20Set", "b.%20Testing%20Set", "2.%20Groundtruths"),
    ],
)
def test_archives_that_were_renamed_or_nested(tmp_path: Path, names: Sequence[str]) -> None:
    root = build(tmp_path, names, counts={"train": 25, "test": 12})
    if "%20" in names[1]:
        for path in root.rglob("*.csv"):
            path.rename(path.with_name(path.name.replace(" ", "%20")))
    cohort = load_cohort(f"idrid:{root}", labelled=False)
    assert cohort.table["split"].value_counts().to_dict() == {"train": 25, "test": 12}
    assert cohort.classes == ()
    assert cohort.table["laterality"].tolist()[:9] == ["R", "L", "L", "L", "L", "L", "R", "L", "R"]


def test_the_other_parts_of_the_data_set_do_not_disturb(tmp_path: Path) -> None:
    build(tmp_path, counts={"train": 25, "test": 12})
    for part in ("A. Segmentation", "C. Localization"):
        folder = tmp_path / part / "1. Original Images" / "a. Training Set"
        folder.mkdir(parents=True)
        Image.fromarray(np.zeros((10, 15), np.uint8)).save(folder / "IDRiD_01.jpg")
        (tmp_path / part / "a. IDRiD_OD_Center_Training Set_Markups.csv").write_text("Image No,X,Y\nIDRiD_001,1,2\n")
    assert len(load_cohort(f"idrid:{tmp_path}", labelled=False)) == 37


def test_the_crop_is_the_paper_s(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    build(tmp_path / "full", width=4288, counts={"train": 25, "test": 12})
    assert load_cohort(f"idrid:{tmp_path / 'full'}", labelled=False).preprocessing == {"crop": (260, 0, 3686, 10)}
    build(tmp_path / "small", counts={"train": 25, "test": 12})
    with caplog.at_level(logging.WARNING):
        assert load_cohort(f"idrid:{tmp_path / 'small'}", labelled=False).preprocessing == {}
    assert "15 wide, not 4288" in caplog.text


def edit(root: Path, split: str, old: str, new: str) -> None:
    path = next(root.rglob(LABELS[split]))
    content = path.read_bytes().decode()
    assert old in content
    path.write_bytes(content.replace(old, new, 1).encode())


def test_labels_and_images_that_do_not_agree(tmp_path: Path) -> None:
    build(tmp_path, counts={"train": 25, "test": 12})
    test = tmp_path / "B. Disease Grading" / "1. Original Images" / "b. Testing Set"
    shutil.copy(test / "IDRiD_012.jpg", test / "IDRiD_013.jpg")
    with pytest.raises(FoveolaError, match=r"got 1 files without labels, the first IDRiD_013, in .*Testing Labels.csv"):
        load_cohort(f"idrid:{tmp_path}")
    (test / "IDRiD_013.jpg").unlink()
    (test / "IDRiD_003.jpg").unlink()
    (test / "IDRiD_007.jpg").unlink()
    with pytest.raises(FoveolaError, match="got 2 labels without files, the first IDRiD_003"):
        load_cohort(f"idrid:{tmp_path}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Retinopathy grade", "Retinopathy", r"a column 'Retinopathy grade', got only .*did you mean 'Retinopathy'\?"),
        ("IDRiD_004", "IDRiD_003", "an image name like IDRiD_001, once, got 'IDRiD_003' in line 5"),
        ("IDRiD_004", "photo", "an image name like IDRiD_001, once, got 'photo' in line 5"),
        (f"IDRiD_004,{grades(RETINOPATHY['test'], 1)[3]}", "IDRiD_004,5", "a grade from 0 to 4, got '5' in line 5"),
        (f"IDRiD_004,{grades(RETINOPATHY['test'], 1)[3]}", "IDRiD_004,", "a grade from 0 to 4, got '' in line 5"),
    ],
)
def test_label_files_that_cannot_be_used(tmp_path: Path, old: str, new: str, message: str) -> None:
    build(tmp_path, counts={"train": 25, "test": 12})
    edit(tmp_path, "test", old, new)
    with pytest.raises(FoveolaError, match=message):
        load_cohort(f"idrid:{tmp_path}")


def test_missing_and_double_label_files(tmp_path: Path) -> None:
    build(tmp_path, counts={"train": 25, "test": 12})
    path = next(tmp_path.rglob(LABELS["test"]))
    shutil.copy(path, tmp_path / "old Testing Labels.csv")
    with pytest.raises(
        FoveolaError, match=r"one CSV file of the testing labels, got .*Labels.csv and old Testing Labels.csv"
    ):
        load_cohort(f"idrid:{tmp_path}")
    path.unlink()
    (tmp_path / "old Testing Labels.csv").unlink()
    with pytest.raises(FoveolaError, match="one CSV file of the testing labels, got none"):
        load_cohort(f"idrid:{tmp_path}")


def test_two_copies_of_an_image(tmp_path: Path) -> None:
    build(tmp_path, counts={"train": 25, "test": 12})
    copy = tmp_path / "B. Disease Grading" / "1. Original Images" / "a. Training Set" / "copy"
    copy.mkdir()
    shutil.copy(copy.parent / "IDRiD_004.jpg", copy / "IDRiD_004.jpg")
    with pytest.raises(FoveolaError, match="every training image once"):
        load_cohort(f"idrid:{tmp_path}")
