"""The commands on images with masks, and one sentence for masks that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

Foveola = Callable[..., Any]
Refused = Callable[..., str]

SMALL = (
    "--backbone",
    "small-unet",
    "--set",
    "backbone.width=4",
    "--image-size",
    "32",
    "--epochs",
    "1",
    "--batch-size",
    "4",
)
HEIGHT, WIDTH = 36, 44


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, no_pictures: None) -> None:
    monkeypatch.setattr("foveola.reporting.mask_pictures.masks_picture", lambda *_, **__: None)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Ten grey images of noise with a bright bar, and masks of it by two observers, in folders."""
    rng = np.random.default_rng(0)
    for number in range(10):
        top, left = rng.integers(4, 16, 2)
        image = rng.integers(0, 150, (HEIGHT, WIDTH), dtype=np.uint8)
        image[top : top + 16, left : left + 9] += 90
        for folder, shift in (("images", 0), ("masks", 0), ("second", 1)):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[top + shift : top + 16, left : left + 9] = 255
            path = tmp_path / "eyes" / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image if folder == "images" else mask).save(path)
    return Path("eyes")


def change(path: Path, changed: Callable[[np.ndarray], np.ndarray]) -> None:
    with Image.open(path) as image:
        pixels = changed(np.array(image))
    Image.fromarray(pixels).save(path)


def test_a_comparison_a_fit_and_predictions(foveola: Foveola, pairs: Path) -> None:
    data = f"pairs:{pairs},masks=masks+second"
    dry = foveola("compare", "--data", data, "--arm", "plain", "--arm", "human", *SMALL, "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert not Path("runs").exists()
    holdout = ("--protocol", "holdout", "--out", "run")
    answer = foveola("compare", "--data", data, "--arm", "plain", "--arm", "human", *SMALL, *holdout)
    assert (answer.code, answer.err) == (0, "")
    assert "dice" in answer.out.lower()
    assert "human" in answer.out
    own = pd.read_csv("run/fits/plain/0-0/predictions.csv")

    answer = foveola("predict", "run/fits/plain/0-0", data, "--out", "all.csv", "--masks", "drawn")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "10 predictions are in all.csv\n"
    assert sorted(path.name for path in Path("drawn").iterdir()) == [f"{number}.png.png" for number in range(10)]
    table = pd.read_csv("all.csv").set_index("sample").loc[own["sample"]].reset_index()
    pd.testing.assert_frame_equal(table[own.columns], own)

    answer = foveola("predict", "run/fits/plain/0-0", pairs / "images", "--out", "new.csv")
    assert answer.out == "10 predictions are in new.csv\n"
    for path in Path("drawn").iterdir():
        assert (Path("new-masks") / path.name).read_bytes() == path.read_bytes()
        with Image.open(path) as mask:
            assert mask.size == (WIDTH, HEIGHT)
    assert "dice" not in pd.read_csv("new.csv")
    assert foveola("predict", "run/fits/plain/0-0", data, "--unlabelled", "--out", "none.csv").code == 0
    assert "dice" not in pd.read_csv("none.csv")

    assert foveola("fit", "--data", data, "--arm", "joint", *SMALL, "--out", "model").code == 0
    assert foveola("explain", "model", pairs / "images" / "3.png", "--out", "why").code == 0
    assert Path("why/3.png/bottleneck-overlay.png").is_file()


def test_what_a_person_cannot_be(foveola: Foveola, refused: Refused, pairs: Path) -> None:
    human = ("--data", f"pairs:{pairs}", "--arm", "human", *SMALL, "--protocol", "holdout")
    sentence = refused("compare", *human, "--out", "run")
    assert "an observer beside the reference 'mask', got '2' of 1 (mask), in eyes; leave out the arm human" in sentence
    assert not Path("run").exists()
    answer = foveola("list", "arms", "--match", "human")
    assert answer.out.split(maxsplit=1) == ["human", "a second observer's masks, where images have some \n"]
    assert "human" not in json.loads(foveola("list", "attention", "--json").out)
    assert {"pointwise", "self", "joint"} <= set(json.loads(foveola("list", "attention", "--json").out))


def unlinked(path: Path) -> None:
    path.unlink()


def smaller(path: Path) -> None:
    change(path, lambda mask: mask[1:])


def of_four_values(path: Path) -> None:
    change(path, lambda mask: np.where(mask > 0, 1 + np.arange(mask.shape[1]) % 3, 0).astype(np.uint8))


def as_jpeg(path: Path) -> None:
    with Image.open(path) as image:
        image.save(path, format="JPEG")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_sixteen_bits(path: Path) -> None:
    change(path, lambda pixels: pixels.astype(np.uint16) * 200)


@pytest.mark.parametrize(
    ("damage", "folder", "sentence"),
    [
        (unlinked, "masks", "by the observer 'masks', got 1 images without, the first '3'"),
        (unlinked, "second", "by the observer 'second', got 1 images without, the first '3'"),
        (smaller, "masks", "44 x 36 pixels, as its image eyes/images/3.png, got 44 x 35, in eyes/masks/3.png"),
        (of_four_values, "masks", "the values 0 and one of 1 and 255, got "),
        (as_jpeg, "second", "a mask without loss (PNG, TIFF or BMP), got JPEG, which changes values at edges"),
        (emptied, "masks", "an empty file"),
        (of_sixteen_bits, "masks", "a mask of 1-bit or 8-bit values, got mode I;16"),
        (of_sixteen_bits, "images", "an 8-bit grey or RGB image, got mode I;16"),
        (emptied, "images", "an empty file"),
    ],
)
def test_one_bad_file_is_named_and_nothing_is_written(
    refused: Refused, pairs: Path, damage: Callable[[Path], None], folder: str, sentence: str
) -> None:
    damage(pairs / folder / "3.png")
    data = f"pairs:{pairs},masks=masks+second"
    told = refused("compare", "--data", data, "--arm", "plain", *SMALL, "--protocol", "holdout", "--out", "run")
    assert sentence in told
    assert f"in eyes/{folder}" in told
    assert not Path("run").exists()


def test_images_that_are_not_finite(refused: Refused, pairs: Path) -> None:
    values = np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32)
    values[3, 2] = np.nan
    Image.fromarray(values).save(pairs / "images" / "3.tif")
    (pairs / "images" / "3.png").unlink()
    told = refused("compare", "--data", pairs, "--arm", "plain", *SMALL, "--protocol", "holdout", "--out", "run")
    assert "in eyes/images/3.tif;" in told
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--protocol", "paper"), "'paper', which is for labels, in --protocol; choose sound or holdout"),
        (("--metrics", "medmnist"), "'medmnist', which is for labels, in --metrics; leave it out"),
        (("--metric", "dicee"), "a known metric, got 'dicee', in --metric; did you mean 'dice'"),
        (("--image-size", 50), "a multiple of 32 pixels, got 50, in --image-size; give 64"),
        (("--set", "segmentation.patch=96"), "patches within the images of 32 px, got 96 px, in segmentation.patch"),
        (("--set", "segmentation.patches=0"), "got 0, in configuration.segmentation.patches"),
        (("--set", "segmentation.los=dice"), "a known key, got 'los', in configuration.segmentation; did you mean"),
        (("--set", "training.criterion=macro_auc"), "which is for labels, in training.criterion; choose loss or dice"),
        (("--backbone", "small-cnn"), "got 'small-cnn', which classifies images, in --backbone; choose denseunet"),
        (("--backbone", "unett/resnet18"), "a known decoder, got 'unett', in --backbone; did you mean 'unet'"),
        (("--arm", "l1", "--set", "segmentation.patch=32"), "whole images for the arm 'l1'"),
        (("--arm", "logistic-regression"), "an arm that gives every pixel a class, got 'logistic-regression'"),
    ],
)
def test_options_that_cannot_be(refused: Refused, pairs: Path, options: tuple[object, ...], sentence: str) -> None:
    width = () if "--backbone" in options else SMALL[2:4]
    known = (*SMALL[:2], *width, *SMALL[4:], "--protocol", "holdout")
    assert sentence in refused("compare", "--data", pairs, "--arm", "plain", *known, *options, "--out", "run")
    assert not Path("run").exists()


def test_masks_without_foreground_are_trained_on(foveola: Foveola, pairs: Path) -> None:
    for path in (pairs / "masks").iterdir():
        change(path, lambda mask: 0 * mask)
    answer = foveola("compare", "--data", pairs, "--arm", "plain", *SMALL, "--protocol", "holdout", "--out", "run")
    assert (answer.code, answer.err) == (0, "")
    results = pd.read_csv("run/results.csv").set_index("metric")
    assert results["value"]["dice"] in (0, 0.5, 1)
    assert np.isnan(results["value"]["sensitivity"])
    assert results["reason"]["sensitivity"] == "not defined for any test image"
