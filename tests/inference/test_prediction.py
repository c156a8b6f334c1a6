"""Prediction gives the rows that the fit wrote, however the images come."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from foveola.comparison import fit_model
from foveola.foundation.errors import FoveolaError
from foveola.inference.prediction import predict
from foveola.protocol import RunConfiguration

Configure = Callable[..., RunConfiguration]
CLASSES = ("mild", "none", "severe")


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def numbers(path: Path) -> list[list[str]]:
    """The probabilities as they are written, row by row."""
    return [line.split(",")[6:] for line in lines(path)[1:]]


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colour images of 15 x 12 pixels in folders of their split and class."""
    root = tmp_path_factory.mktemp("photos") / "photos"
    rng = np.random.default_rng(9)
    for split, count in (("train", 5), ("test", 4)):
        for name in CLASSES:
            for place in range(count):
                path = root / split / name / f"eye {place}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)).save(path)
    return root


@pytest.fixture(scope="session")
def model(photos: Path, configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a map, fitted to the photos."""
    folder = tmp_path_factory.mktemp("fitted") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        fit_model(configure(["global"], {"data": str(photos)}), folder)
    return folder


@pytest.mark.parametrize("fit", ["plain/0-0", "l1-fair/0-1", "global/0-1"])
def test_the_whole_cohort_holds_the_rows_of_the_fit(finished: Path, scans: Path, tmp_path: Path, fit: str) -> None:
    assert predict(finished / "fits" / fit, str(scans), tmp_path / "all.csv") == 41
    written = lines(finished / "fits" / fit / "predictions.csv")
    rows = lines(tmp_path / "all.csv")
    assert rows[0] == written[0]
    assert [row for row in rows if row.startswith("test-")] == written[1:]


def test_the_same_from_image_files(photos: Path, model: Path, tmp_path: Path) -> None:
    assert predict(model, str(photos), tmp_path / "all.csv") == 27
    written, rows = lines(model / "predictions.csv"), lines(tmp_path / "all.csv")
    assert rows[0] == written[0] == "sample,arm,fold,seed,epoch,label,p_mild,p_none,p_severe"
    assert [row for row in rows if row.startswith("test/")] == written[1:]


def test_only_the_test_images_in_another_order(photos: Path, model: Path, tmp_path: Path) -> None:
    shutil.copytree(photos / "test", tmp_path / "new" / "test")
    files = [path.relative_to(tmp_path / "new") for path in sorted((tmp_path / "new").rglob("*.png"))]
    order = np.random.default_rng(3).permutation(len(files))
    table = pd.DataFrame([(str(files[place]), files[place].parent.name) for place in order], columns=["file", "label"])
    table.to_csv(tmp_path / "new" / "labels.csv", index=False)
    for images in (tmp_path / "new", tmp_path / "new" / "labels.csv"):
        predict(model, str(images), tmp_path / "some.csv")
        rows = lines(tmp_path / "some.csv")
        assert [row.split(",")[0] for row in rows[1:]] == table["file"].tolist()
        assert sorted(rows[1:]) == sorted(lines(model / "predictions.csv")[1:])


def test_one_image_alone(photos: Path, model: Path, tmp_path: Path) -> None:
    for line in lines(model / "predictions.csv")[1::5]:
        sample = line.split(",")[0]
        assert predict(model, str(photos / sample), tmp_path / "one.csv") == 1
        (row,) = lines(tmp_path / "one.csv")[1:]
        assert row.split(",")[:6] == [Path(sample).name, "global", "0", "0", "2", ""]
        assert row.split(",")[6:] == line.split(",")[6:]


def test_one_labelled_image_gives_the_very_line(photos: Path, model: Path, tmp_path: Path) -> None:
    line = lines(model / "predictions.csv")[3]
    sample, label = (line.split(",")[place] for place in (0, 5))
    target = tmp_path / "new" / sample
    target.parent.mkdir(parents=True)
    shutil.copy(photos / sample, target)
    (tmp_path / "new" / "labels.csv").write_text(f"file,label\n{sample},{label}\n")
    predict(model, str(tmp_path / "new"), tmp_path / "one.csv")
    assert lines(tmp_path / "one.csv")[1:] == [line]


def test_colour_counts_for_a_grey_model_only_by_its_brightness(
    finished: Path, scans: Path, photos: Path, model: Path, tmp_path: Path
) -> None:
    grey = np.load(scans)["test_images"][:7]
    for name, array in (("grey", grey), ("colour", np.repeat(grey[..., None], 3, axis=-1))):
        np.savez(tmp_path / f"{name}.npz", images=array)
        predict(finished / "fits/global/0-0", str(tmp_path / f"{name}.npz"), tmp_path / f"{name}.csv", labelled=False)
        predict(model, str(tmp_path / f"{name}.npz"), tmp_path / f"{name}-rgb.csv", labelled=False)
    assert lines(tmp_path / "grey.csv") == lines(tmp_path / "colour.csv")
    assert lines(tmp_path / "grey-rgb.csv") == lines(tmp_path / "colour-rgb.csv")
    assert numbers(tmp_path / "grey.csv") == numbers(finished / "fits/global/0-0/predictions.csv")[:7]


@pytest.mark.parametrize("labelled", [True, False])
def test_folders_without_labels(photos: Path, model: Path, tmp_path: Path, labelled: bool) -> None:
    """A folder of images alone is known as one; one with labels may be taken without them."""
    images = photos / "test" / "none" if labelled else photos
    count = predict(model, str(images), tmp_path / "new.csv", labelled=labelled)
    assert count == (4 if labelled else 27)
    assert {row.split(",")[5] for row in lines(tmp_path / "new.csv")[1:]} == {""}
    written = {tuple(row) for row in numbers(model / "predictions.csv")}
    assert len(written & {tuple(row) for row in numbers(tmp_path / "new.csv")}) == (4 if labelled else 12)


def test_a_table_without_labels(photos: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    shutil.copy(photos / "test/none/eye 2.png", tmp_path / "new/a.png")
    (tmp_path / "new/list.csv").write_text("file,age\na.png,70\n")
    predict(model, str(tmp_path / "new"), tmp_path / "new.csv")
    assert lines(tmp_path / "new.csv")[1].startswith("a.png,global,0,0,2,,0.")


@pytest.mark.parametrize("names", [("severe",), ("mild", "severe")])
def test_folders_with_fewer_classes(photos: Path, model: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        target = tmp_path / "test" / name / "eye 1.png"
        target.parent.mkdir(parents=True)
        shutil.copy(photos / "test" / name / "eye 1.png", target)
    for root in (tmp_path, tmp_path / "test"):
        predict(model, str(root), tmp_path / "few.csv")
        assert [row.split(",")[5] for row in lines(tmp_path / "few.csv")[1:]] == list(names)
        assert {tuple(row) for row in numbers(tmp_path / "few.csv")} <= {
            tuple(row) for row in numbers(model / "predictions.csv")
        }


def test_classes_that_the_model_does_not_know(photos: Path, model: Path, tmp_path: Path) -> None:
    shutil.copytree(photos / "test/none", tmp_path / "new/none")
    shutil.copytree(photos / "test/mild", tmp_path / "new/odd")
    with pytest.raises(FoveolaError, match=r"the classes of the model, mild, none, severe, got 'odd', .*--unlabelled"):
        predict(model, str(tmp_path / "new"), tmp_path / "new.csv")
    assert not (tmp_path / "new.csv").exists()
    assert predict(model, str(tmp_path / "new"), tmp_path / "new.csv", labelled=False) == 8


def test_maps_and_pictures(photos: Path, model: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    predict(
        model,
        str(photos / "test"),
        tmp_path / "new.csv",
        maps=tmp_path / "maps",
        progress=lambda *step: steps.append(step),
    )
    assert np.array_equal(np.load(tmp_path / "maps/map.npy"), np.load(model / "map.npy"))
    with Image.open(tmp_path / "maps/map.png") as picture:
        assert picture.size[0] > 200
    pictures = sorted((tmp_path / "maps/images").rglob("*.png"))
    assert [path.relative_to(tmp_path / "maps/images").as_posix() for path in pictures] == [
        f"{name}/eye {place}.png.png" for name in CLASSES for place in range(4)
    ]
    with Image.open(pictures[0]) as picture:
        assert (picture.size, picture.mode) == ((16, 16), "RGB")
    assert ("Drawing maps", 12, 12) in steps


def test_pictures_stay_in_their_folder(photos: Path, model: Path, tmp_path: Path) -> None:
    """Whatever path a table names, nothing is written beside the images."""
    original = photos / "test/none/eye 0.png"
    (tmp_path / "scans").mkdir()
    (tmp_path / "lists").mkdir()
    shutil.copy(original, tmp_path / "scans/a.png")
    (tmp_path / "lists/new.csv").write_text(f"file\n../scans/a.png\n{tmp_path / 'scans/a.png'}\n")
    predict(model, str(tmp_path / "lists/new.csv"), tmp_path / "new.csv", maps=tmp_path / "maps")
    assert [path.name for path in (tmp_path / "scans").iterdir()] == ["a.png"]
    pictures = [path.relative_to(tmp_path / "maps/images") for path in (tmp_path / "maps/images").rglob("*.png")]
    assert sorted(pictures) == sorted([Path("up/scans/a.png.png"), Path(*tmp_path.parts[1:], "scans/a.png.png")])


def test_maps_of_a_model_without_attention(finished: Path, scans: Path, tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match=r"expected a model with attention, got one of the arm 'plain', .*--maps"):
        predict(finished / "fits/plain/0-0", str(scans), tmp_path / "new.csv", maps=tmp_path / "maps")
    assert not list(tmp_path.iterdir())


def test_no_images(model: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(FoveolaError, match="at least one image, got none"):
        predict(model, str(tmp_path / "new"), tmp_path / "new.csv")
    with pytest.raises(FoveolaError, match="'nowhere'"):
        predict(model, "nowhere", tmp_path / "new.csv")
