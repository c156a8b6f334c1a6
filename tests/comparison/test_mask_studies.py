"""Studies on masks beside one comparison: curves, other images, and what is stopped or goes wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from foveola.comparison import compare
from foveola.foundation.errors import FoveolaError
from foveola.inference.explanation import explain
from foveola.inference.prediction import predict
from foveola.protocol import RunConfiguration, read_configuration

DATA = "phantom:n=16,size=48,masks=true"
SMALL = {
    "protocol": "holdout",
    "backbone.name": "small-unet",
    "backbone.width": 4,
    "training.epochs": 2,
    "training.batch_size": 4,
    "training.lr": 0.01,
    "preprocessing.image_size": 32,
    "joint.residual_start": 0.5,
}
ARMS = ("plain", "joint")


def configured(options: dict[str, Any] | None = None, arms: tuple[str, ...] = ARMS) -> RunConfiguration:
    own = {key: value for key, value in SMALL.items() if key.split(".")[0] != "joint" or "joint" in arms}
    return read_configuration(options={"data": DATA, "arms": list(arms), **own, **(options or {})})


@pytest.fixture(autouse=True)
def no_mask_pictures(monkeypatch: pytest.MonkeyPatch, no_pictures: None) -> None:
    monkeypatch.setattr("foveola.reporting.mask_pictures.masks_picture", lambda *_, **__: None)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison in windows, with right eyes that are mirrored; to be read only."""
    folder = tmp_path_factory.mktemp("phantom") / "run"
    windows = {"segmentation.patch": 32, "segmentation.overlap": 0.5, "segmentation.views": 4}
    options = {"preprocessing.image_size": 64, **windows}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        compare(configured(options), folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    paths = [*folder.glob("*.csv"), *folder.glob("fits/*/*/*.*"), *folder.glob("fits/*/*/masks/*")]
    paths += folder.glob("maps/*.npy")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.name[0] != "."}


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StopError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StopError

    configuration = read_configuration(run / "run.yaml")
    with monkeypatch.context() as patch:
        patch.setattr("foveola.training.callbacks.LastEpoch.on_train_epoch_end", stop)
        with pytest.raises(StopError):
            compare(configuration, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr("foveola.protocol.run.fit.write_maps", stop)  # masks are there, and predictions are not
        with pytest.raises(StopError):
            compare(configuration, tmp_path / "run")
    assert not (tmp_path / "run" / "results.csv").exists()
    compare(configuration, tmp_path / "run")
    assert {"results.csv", "fits/joint/0-0/model.safetensors", "maps/joint.npy"} <= files(run).keys()
    assert files(tmp_path / "run") == files(run)


def test_prediction_gives_the_masks_of_the_fit_in_windows_and_mirrored(run: Path, tmp_path: Path) -> None:
    for arm in ARMS:
        fit = run / "fits" / arm / "0-0"
        assert predict(fit, DATA, tmp_path / f"{arm}.csv") == 16
        own = (fit / "predictions.csv").read_text().splitlines()
        assert set(own) <= set((tmp_path / f"{arm}.csv").read_text().splitlines())
        names = [path.name for path in (fit / "masks").iterdir()]
        assert {name[-5] for name in names} == {"L", "R"}
        for name in names:
            with Image.open(fit / "masks" / name) as one, Image.open(tmp_path / f"{arm}-masks" / name) as other:
                assert one.size == (48, 48)
                assert np.array_equal(np.asarray(one), np.asarray(other))


def test_images_of_every_size_get_masks_of_their_size(run: Path, tmp_path: Path) -> None:
    sizes = {"wide.png": (90, 40), "tiny.png": (9, 13), "deep/large.png": (150, 210), "same.png": (48, 48)}
    for number, (name, size) in enumerate(sizes.items()):
        path = tmp_path / "new" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    with pytest.raises(FoveolaError, match=r"images of one size, got .*preprocessing.sizes=any"):
        predict(run / "fits" / "joint" / "0-0", str(tmp_path / "new"), tmp_path / "new.csv")
    for name, size in sizes.items():
        assert predict(run / "fits" / "joint" / "0-0", str(tmp_path / "new" / name), tmp_path / "one.csv") == 1
        with Image.open(tmp_path / "one-masks" / f"{Path(name).name}.png") as mask:
            assert mask.size == size
            area = float((np.asarray(mask) == 1).sum())
        assert pd.read_csv(tmp_path / "one.csv")["area[lesion]"].tolist() == [area]


def test_masks_of_other_classes_are_not_compared(run: Path, tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / "own" / name).mkdir(parents=True)
        Image.new("L", (20, 30)).convert("RGB" if name == "images" else "L").save(tmp_path / "own" / name / "a.png")
    data, out = f"pairs:{tmp_path / 'own'},classes=0:background+1:cup", tmp_path / "a.csv"
    model = run / "fits" / "plain" / "0-0"
    message = "masks of the classes of the model, background, lesion, got background, cup, .*pass --unlabelled"
    with pytest.raises(FoveolaError, match=message):
        predict(model, data, out)
    assert not out.exists()
    assert predict(model, data, out, labelled=False) == 1
    assert "dice" not in pd.read_csv(out)


def test_maps_of_windows_are_explained_on_the_images(run: Path, tmp_path: Path) -> None:
    assert explain(run / "fits" / "joint" / "0-0", DATA, tmp_path / "why", limit=2) == 2
    index = pd.read_csv(tmp_path / "why" / "maps.csv")
    assert index["place"].tolist() == ["bottleneck", "up1.join", "summary"] * 2
    assert set(index["height"]) == {64}
    assert index["mirrored"].tolist() == [False] * 3 + [True] * 3
    with Image.open(tmp_path / "why" / "p0000R" / "bottleneck-overlay.png") as overlay:
        assert overlay.size == (48, 48)
    mean = np.load(run / "maps" / "joint.npy")
    assert mean.shape == (64, 64)
    with pytest.raises(FoveolaError, match="a model with attention, got one of the arm 'plain'"):
        explain(run / "fits" / "plain" / "0-0", DATA, tmp_path / "none")


def test_a_learning_curve_of_dice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr("foveola.reporting.mask_pictures.masks_picture", lambda path, *_, **__: drawn.append(path.name))
    result = compare(
        configured({"train_sizes": [4, 8], "seeds": 2, "training.epochs": 1}, arms=("plain",)), tmp_path / "run"
    )
    assert result.curve is not None
    assert result.curve["train_size"].tolist() == [4, 8]
    results = pd.read_csv(tmp_path / "run" / "results.csv")
    own = results[results["metric"] == "dice"]
    assert len(own) == 4
    assert result.curve["mean"].mean() == pytest.approx(own["value"].mean())
    splits = pd.read_csv(tmp_path / "run" / "splits.csv")
    patients = splits.assign(patient=splits["sample"].str[:-1]).groupby(["fold", "patient"])["role"].nunique()
    assert (patients == 1).all(), "two eyes of a patient were separated"
    assert set(drawn) == {f"{name}.png" for name in splits["sample"][splits["role"] == "test"]}
    assert (tmp_path / "run" / "curve.png").is_file()


def test_a_training_that_diverged_is_told(tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match=r"finite probabilities, got NaN: the training diverged, .*smaller --lr"):
        compare(configured({"training.lr": 1e30}, arms=("plain",)), tmp_path / "run")
    assert not (tmp_path / "run" / "fits" / "plain" / "0-0" / "done").exists()


@pytest.mark.parametrize(
    ("arms", "options", "message"),
    [
        (("human",), {}, r"an observer beside the reference 'drawn', got '2' of 1 \(drawn\), in phantom"),
        (("ppcr",), {"ppcr.contrastive": 0.1}, "labels for the contrastive term, got masks"),
        (("resattnet92",), {}, "an arm that gives every pixel a class, got 'resattnet92', which classifies images"),
        (("plain",), {"backbone.name": "small-cnn", "backbone.width": None}, "a backbone that gives every pixel"),
        (("plain",), {"training.criterion": "accuracy"}, "'accuracy', which is for labels, in training.criterion"),
        (("plain",), {"segmentation.loss": "focal"}, "in configuration.segmentation.loss"),
        (("plain",), {"segmentation.overlap": 1}, "less than 1, got 1, in configuration.segmentation.overlap"),
        (("plain",), {"segmentation.patch": 16}, "greater than or equal to 32, got 16"),
        (("plain",), {"training.augmentation": "wild"}, "in configuration.training.augmentation"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(
    arms: tuple[str, ...], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FoveolaError, match=message):
        compare(configured(options, arms=arms), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\nhalf"], ids=["lost", "empty", "damaged"])
def test_masks_that_were_lost_are_named(run: Path, tmp_path: Path, content: bytes | None) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    path = next((copy / "fits" / "plain" / "0-0" / "masks").iterdir())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FoveolaError, match=rf"the mask of a finished fit, .*{path.name}; remove the file 'done' of"):
        compare(read_configuration(copy / "run.yaml"), copy)
