"""Bad input: one sentence that names what, where and what to do, exit code 2, and nothing lost or half-written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Refused = Callable[..., str]
DrawFolder = Callable[..., Path]
DrawImage = Callable[..., None]

RUN = ("--out", "run")


@pytest.fixture
def compared(refused: Refused, small: tuple[str, ...], tmp_path: Path) -> Refused:
    """Compares on data that cannot be used; leaves no run folder."""

    def run(data: object, *options: object) -> str:
        sentence = refused("compare", "--data", data, "--arm", "plain", *small, *options, *RUN)
        assert not (tmp_path / "run").exists()
        return sentence

    return run


def table(folder: Path, *rows: str, header: str = "file,label") -> Path:
    """Writes a table beside the images; without rows, one row an image."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.png"))
    path = folder / "labels.csv"
    path.write_text("\n".join([header, *(rows or [f"{file.as_posix()},{file.parent}" for file in files])]) + "\n")
    return path


def test_no_images(compared: Refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "got no images, in empty; put the images of each class into a folder" in compared("empty")
    (tmp_path / "empty" / "a").mkdir()
    assert "expected images in every class folder, got none, in empty/a;" in compared("empty")
    np.savez(tmp_path / "none.npz", images=np.zeros((0, 12, 10), np.uint8), labels=np.zeros(0))
    assert "expected at least one image, got none, in none;" in compared("none.npz")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "an empty file"), (b"no image at all", "no known image format"), (None, "truncated")],
)
def test_unreadable_images(compared: Refused, draw_folder: DrawFolder, content: bytes | None, reason: str) -> None:
    path = draw_folder() / "b" / "3.png"
    path.write_bytes(path.read_bytes()[:90] if content is None else content)
    sentence = compared("scans")
    assert "expected a readable image, got damaged or unreadable data" in sentence
    assert reason in sentence
    assert "in scans/b/3.png; replace the file" in sentence


@pytest.mark.parametrize(
    ("mode", "suffix", "reason"),
    [
        ("I;16", "png", "16-bit grey"),
        ("CMYK", "tif", "CMYK"),
        ("P", "png", "palette"),
        ("RGBA", "png", "alpha"),
        ("LA", "png", "grey with alpha"),
    ],
)
def test_images_of_other_modes(
    compared: Refused, draw_folder: DrawFolder, draw_image: DrawImage, mode: str, suffix: str, reason: str
) -> None:
    draw_image(draw_folder() / "a" / f"x.{suffix}", mode)
    sentence = compared("scans")
    assert "expected an 8-bit grey or RGB image" in sentence
    assert reason in sentence
    assert f"scans/a/x.{suffix}; convert the file, or pass --set preprocessing.modes=convert" in sentence


def test_images_of_other_modes_can_be_converted(
    foveola: Callable[..., Any], draw_folder: DrawFolder, draw_image: DrawImage, small: tuple[str, ...]
) -> None:
    for mode in ("I;16", "RGBA", "P"):
        draw_image(draw_folder() / "a" / f"{mode[0]}x.png", mode)
    arguments = ("--data", "scans", "--arm", "plain", *small, "--set", "preprocessing.modes=convert")
    assert foveola("fit", *arguments).code == 0


def test_images_of_other_sizes(compared: Refused, draw_folder: DrawFolder, draw_image: DrawImage) -> None:
    draw_image(draw_folder() / "c" / "2.png", size=(10, 13))
    sentence = compared("scans")
    assert "images of one size, got 11 x 13 pixels in scans/a/0.png and 10 x 13 pixels in scans/c/2.png" in sentence
    assert "--set preprocessing.sizes=any" in sentence


def test_a_class_with_one_image(compared: Refused, draw_folder: DrawFolder) -> None:
    draw_folder(counts=(1, 4, 5))
    assert "expected at least two images of every class, got 1 of class 'a', in scans;" in compared("scans")
    draw_folder("alone", counts=(4, 0, 0))
    assert "expected at least two classes, got only 'a', in alone;" in compared("alone")


def test_labels_and_files_that_do_not_agree(compared: Refused, draw_folder: DrawFolder) -> None:
    path = table(draw_folder())
    path.write_text(path.read_text() + "c/99.png,c\n")
    assert "1 that do not exist, the first 'c/99.png' in line 20, in scans/labels.csv;" in compared("scans")
    path.write_text("\n".join(path.read_text().splitlines()[:-2]) + "\n")
    sentence = compared(path)
    assert "1 files without labels, the first 'c/5.png', in scans/labels.csv; add rows, or pass" in sentence


def test_ids_that_come_twice(compared: Refused, draw_folder: DrawFolder) -> None:
    path = table(draw_folder())
    path.write_text(path.read_text() + "b/2.png,b\n")
    assert "expected every sample once, got 'b/2.png' 2 times, in scans;" in compared("scans")


def test_nan_in_arrays(compared: Refused, tmp_path: Path) -> None:
    images, labels = np.random.default_rng(2).random((12, 13, 11)), np.arange(12) % 3
    images[5, 3, 2] = np.nan
    np.savez(tmp_path / "scans.npz", images=images, labels=labels)
    assert "got NaN or infinity in image 5 (the first of 1), in images of scans.npz;" in compared("scans.npz")
    np.savez(tmp_path / "scans.npz", images=np.nan_to_num(images), labels=np.where(labels == 2, np.nan, labels))
    assert "expected whole numbers from 0, got nan at place 2, in labels of scans.npz;" in compared("scans.npz")
    np.savez(tmp_path / "scans.npz", images=np.nan_to_num(images))
    assert "the array 'labels'" in compared("scans.npz") or "the array 'train_images'" in compared("scans.npz")


def test_more_folds_than_images_or_groups(compared: Refused, draw_folder: DrawFolder) -> None:
    path = table(draw_folder())
    folds = ("--protocol", "kfold", "--folds", 6)
    assert "at least 6 images of every class for 6 folds, got 5 of class 'b', in scans;" in compared("scans", *folds)
    rows = [f"{row},p{place % 4}" for place, row in enumerate(path.read_text().splitlines()[1:])]
    table(Path("scans"), *rows, header="file,label,group")
    folds = ("--protocol", "kfold", "--folds", 5)
    assert "at least 5 groups of every class for 5 folds, got 4 of class 'a', in scans;" in compared("scans", *folds)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--arm", "globl"), "known arm, got 'globl', in --arm; did you mean 'global'?"),
        (("--backbone", "resnt18"), "known backbone, got 'resnt18', in --backbone; did you mean 'resnet18'"),
        (("--set", "trainin.lr=1"), "known key, got 'trainin', in configuration; did you mean 'training'"),
        (("--set", "plain.fly=1"), "known key, got 'fly', in the settings of arm 'plain'; choose one of"),
        (("--set", "training"), "key=value, got 'training', in --set;"),
        (("--set", "global.hidden=3"), "got 'global.hidden', in --set; add --arm global"),
        (("--pixel-memory", "3"), "got 'global.pixel_memory', in the command line; add --arm global"),
        (("--image-size", 3), "greater than or equal to 8, got 3, in configuration.preprocessing.image_size;"),
        (("--image-size", 9999), "less than or equal to 4096, got 9999,"),
        (("--bins", "low,high"), "got 'low', in configuration.bins.0;"),
        (("--bins", "1,2"), "expected no --bins"),
        (("--label", "md"), "expected no --label"),
        (("--device", "abacus"), "got 'abacus', in configuration.training.device;"),
        (("--seeds", 0), "greater than or equal to 1, got 0, in configuration.seeds;"),
        (("--epochs", -2), "got -2, in configuration.training.epochs;"),
        (("--cutoff", 2), "expected a cut-off within the 1 epochs"),
        (("--batch-size", 1), "got 1, in configuration.training.batch_size;"),
        (("--lr", "nan"), "got nan, in configuration.training.lr;"),
        (("--folds", 1), "got 1, in configuration.folds;"),
        (("--weights", "none.pth"), "expected a file of weights, got no such file, in none.pth;"),
        (("--split-file", "none.csv"), "in none.csv; check --split-file"),
        (("--config", "none.yaml"), "got no such file, in none.yaml; check --config"),
        (("--config", "."), "got 'Is a directory', in .;"),
        (("--set", "preprocessing.crop=0,0,50,50"), "got 11 x 13 pixels, in scans/a/0.png;"),
    ],
)
def test_options_that_cannot_be(
    compared: Refused, draw_folder: DrawFolder, options: tuple[object, ...], sentence: str
) -> None:
    assert sentence in compared(draw_folder(), *options)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("phantm", "known data source, got 'phantm', in --data; did you mean 'phantom'?"),
        ("phantom:m=3", "known option, got 'm', in --data phantom;"),
        ("phantom:n=few", "got 'few', in --data, option n;"),
        ("nothing.csv", "got 'nothing.csv', which does not exist, in --data; check the path"),
        ("idrid:nowhere", "got nothing of that name, in nowhere; check the path"),
    ],
)
def test_data_that_are_not_there(compared: Refused, data: str, sentence: str) -> None:
    assert sentence in compared(data)


def test_nothing_to_compare(refused: Refused) -> None:
    assert "expected --data, got nothing" in refused("compare", "--arm", "plain")
    assert "expected --arm, got nothing" in refused("fit", "--data", "digits")


def test_weights_that_cannot_be_downloaded(
    compared: Refused, draw_folder: DrawFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("timm.models._builder.load_pretrained", offline)
    sentence = compared(draw_folder(), "--backbone", "resnet18")
    assert "expected pretrained weights of 'resnet18'" in sentence
    assert "pass --weights FILE for weights on disk, or --no-pretrained to train from random weights" in sentence


def test_a_run_of_other_settings_is_left_as_it_is(
    foveola: Callable[..., Any], refused: Refused, draw_folder: DrawFolder, small: tuple[str, ...], tmp_path: Path
) -> None:
    data = draw_folder()
    command = ("compare", "--data", data, "--arm", "plain", *small, "--protocol", "holdout", *RUN)
    assert foveola(*command).code == 0
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in Path("run").rglob("*") if path.is_file()}
    assert "training.epochs = 1, got 2, in run/run.yaml; choose another --out" in refused(*command, "--epochs", 2)
    assert "arms.l1 = None" in refused(*command, "--arm", "l1")
    (data / "a" / "0.png").write_bytes((data / "a" / "1.png").read_bytes())
    assert "expected the images and labels of the run that is there, got changed ones, in run;" in refused(*command)
    assert "got a folder with other files, in scans; choose another --out" in refused(*command[:-1], "scans")
    assert "got 'File exists', in notes" in refused_at_a_file(refused, command)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before


def refused_at_a_file(refused: Refused, command: tuple[object, ...]) -> str:
    Path("notes").write_text("mine")
    sentence = refused(*command[:-1], "notes")
    assert Path("notes").read_text() == "mine"
    return sentence
