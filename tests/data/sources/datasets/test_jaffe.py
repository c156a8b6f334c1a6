from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveola.data import load_cohort
from foveola.foundation.errors import FoveolaError

SUBJECTS = {"KA": 23, "KL": 22, "KM": 22, "KR": 20, "MK": 21, "NA": 21, "NM": 20, "TM": 21, "UY": 21, "YM": 22}
POSES = {"AN": 30, "DI": 29, "FE": 32, "HA": 31, "NE": 30, "SA": 31, "SU": 30}
EMOTIONS = ("HAP", "SAD", "SUR", "ANG", "DIS", "FEA")
RATED = {"HAP": 54, "SAD": 39, "SUR": 41, "ANG": 30, "DIS": 41, "FEA": 8}
WITHOUT_IMAGE = {8: "KM-HA5", 12: "KM-SA4", 21: "KM-DI2", 76: "KR-HA3", 108: "NM-DI2", 183: "TM-HA4"}


def plan() -> dict[int, tuple[str, str, str]]:
    """The 213 images as number: (subject, pose and take, emotion rated highest), with the published totals."""
    rng = np.random.default_rng(4)
    columns = [
        rng.permutation([name for name, count in counts.items() for _ in range(count)]).tolist()
        for counts in (SUBJECTS, POSES, RATED)
    ]
    numbers = [number for number in range(1, 220) if number not in WITHOUT_IMAGE]
    made = {n: (s, f"{p}{i % 9 + 1}", e) for i, (n, s, p, e) in enumerate(zip(numbers, *columns, strict=True))}
    other = next(number for number, row in made.items() if row[0] == "YM")  # number 53 is one of YM's
    made[53], made[other] = (("YM", "HA2", made[53][2]), (made[53][0], *made[other][1:]))
    return made


def build(root: Path, images: int = 213) -> dict[int, tuple[str, str, str]]:
    """Writes the published layout with tiny images."""
    made = plan()
    rng = np.random.default_rng(9)
    root.mkdir(parents=True, exist_ok=True)
    lines = [
        "The Japanese Female Facial Expression (JAFFE) Database",
        "HAP is happiness, PIC the picture.",
        "",
        "#   HAP  SAD  SUR  ANG  DIS  FEA  PIC",
        "-" * 50,
    ]
    for number in range(1, 220):
        subject, take, emotion = made.get(number, ("", "", "SAD"))
        values = dict(zip(EMOTIONS, rng.integers(100, 400, 6) / 100, strict=True))
        values[emotion] = max(values.values()) + 0.03
        key = {53: "YN-HA2", **WITHOUT_IMAGE}.get(number, f"{subject}-{take}")
        lines.append(f"{number} " + " ".join(f"{values[name]:.2f}" for name in EMOTIONS) + f" {key}")
        if number in made and len(list(root.glob("*.tiff"))) < images:
            Image.fromarray(np.full((12, 10), number, np.uint8)).save(root / f"{subject}.{take}.{number}.tiff")
    lines += ["", "Fear excluded:", "#   HAP  SAD  SUR  ANG  DIS  PIC", "-" * 50]
    lines += [f"{number} 1.00 2.00 3.00 4.00 5.00 KA-AN1" for number in range(1, 183)]
    (root / "README_FIRST.txt").write_bytes("\r\n".join([*lines, "\xa9 caf\xe9"]).encode("latin-1"))
    return made


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive") / "jaffe"
    build(folder)
    return folder


def test_the_published_archive(published: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        cohort = load_cohort(f"jaffe:{published}")
    assert cohort.name == "JAFFE"
    assert cohort.classes == EMOTIONS
    assert len(cohort) == 213
    assert np.bincount(cohort.table["label"]).tolist() == [RATED[name] for name in EMOTIONS]
    assert cohort.table["group"].value_counts().to_dict() == SUBJECTS
    expected = {f"{subject}.{take}.{number}": (subject, emotion) for number, (subject, take, emotion) in plan().items()}
    found = {row.sample: (row.group, cohort.classes[row.label]) for row in cohort.table.itertuples()}
    assert found == expected
    for index in (0, 100, 212):
        number = int(cohort.table["sample"][index].split(".")[2])
        assert (cohort.images.read(index) == number).all()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "rating 53 is of YN-HA2" in warnings[0]
    assert "YM.HA2.53.tiff" in warnings[0]
    assert "6 ratings have no image" in caplog.text


def test_only_emotions_that_occur_are_classes(tmp_path: Path) -> None:
    made = build(tmp_path / "jaffe", images=0)
    chosen = [
        number for emotion in ("DIS", "SAD") for number in [n for n, row in made.items() if row[2] == emotion][:3]
    ]
    for number in chosen:
        Image.fromarray(np.zeros((12, 10), np.uint8)).save(
            tmp_path / "jaffe" / f"{made[number][0]}.{made[number][1]}.{number}.tiff"
        )
    cohort = load_cohort(f"jaffe:{tmp_path}")
    assert cohort.classes == ("SAD", "DIS")
    assert sorted(cohort.table["label"]) == [0, 0, 0, 1, 1, 1]


def test_a_face_is_the_emotion_rated_highest_and_the_first_of_equals(tmp_path: Path) -> None:
    rows = [
        "1 2.87 2.52 2.10 1.97 1.97 2.06 KM-NE1",
        "2 1.00 3.10 3.10 1 1.0 1.0 KM-NE2",
        "3 2.87 1 1 1 1 1 KM-NE3",
        "4 1.00 3.10 3.09 1 1.0 1.0 KM-NE4",
    ]
    (tmp_path / "README").write_text("\n".join(["# HAP SAD SUR ANG DIS FEA PIC", "---", *rows]))
    for number in range(1, 5):
        Image.fromarray(np.zeros((12, 10), np.uint8)).save(tmp_path / f"KM.NE{number}.{number}.tiff")
    cohort = load_cohort(f"jaffe:{tmp_path}")
    assert [cohort.classes[label] for label in cohort.table["label"]] == ["HAP", "SAD", "HAP", "SAD"]


def test_copies_that_cannot_be_used(published: Path, tmp_path: Path) -> None:
    root = tmp_path / "jaffe"
    shutil.copytree(published, root)
    first = min(root.glob("*.tiff"))
    for stray, message in (
        ("copy of face.tiff", "names like KA.AN1.39.tiff, got 'copy of face.tiff'"),
        ("KA.AN1.220.tiff", "expected ratings of every image, got none of number 220"),
        (f"sub/{first.name}", "expected every number once"),
    ):
        (root / stray).parent.mkdir(exist_ok=True)
        shutil.copy(first, root / stray)
        with pytest.raises(FoveolaError, match=message):
            load_cohort(f"jaffe:{root}")
        (root / stray).unlink()
    readme = root / "README_FIRST.txt"
    content = readme.read_bytes()
    readme.write_bytes(content.replace(b"\r\n2 ", b"\r\n1 ", 1))
    with pytest.raises(FoveolaError, match="expected every rating once, got number 1 twice"):
        load_cohort(f"jaffe:{root}")
    readme.write_bytes(content.replace(b"FEA  PIC", b"PIC"))
    with pytest.raises(
        FoveolaError, match="a README with the table of ratings 'HAP SAD SUR ANG DIS FEA PIC', got none"
    ):
        load_cohort(f"jaffe:{root}")
