"""Comparisons on images with masks, from end to end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from foveola.comparison import compare, fit_model, load_data
from foveola.comparison.forecast import forecast
from foveola.data import load_cohort
from foveola.execution import LocalProcesses
from foveola.foundation.errors import FoveolaError
from foveola.inference.explanation import explain
from foveola.inference.prediction import predict
from foveola.protocol import RunConfiguration, read_configuration
from foveola.protocol.run.mask_predictions import write_mask
from foveola.statistics.metrics.mask_scores import mask_scores

ARMS = ("plain", "pointwise", "self", "joint")
OPTIONS = {
    "protocol": "holdout",
    "backbone.name": "small-unet",
    "backbone.width": 4,
    "preprocessing.image_size": 32,
    "training.epochs": 2,
    "training.batch_size": 4,
    "training.lr": 0.01,
}


def draw(folder: Path, count: int = 12, *, height: int = 44, width: int = 36, observers: int = 2) -> Path:
    """Grey images with a bright bar that two observers draw a little differently; two images a patient."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        top, left = int(rng.integers(4, 20)), int(rng.integers(4, 16))
        image = rng.integers(0, 120, (height, width))
        image[top : top + 18, left : left + 9] += 100
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{number}.png")
        row = {"file": f"{number}.png", "group": f"p{number // 2}", "split": "test" if number >= 8 else "train"}
        for observer in range(observers):
            mask = np.zeros((height, width), np.uint8)
            mask[top + observer : top + 18, left : left + 9 + observer] = 255
            name = ("mask", "mask2")[observer]
            Image.fromarray(mask).save(folder / f"{number}.{name}.png")
            row[name] = f"{number}.{name}.png"
        rows.append(row)
    pd.DataFrame(rows).to_csv(folder / "bars.csv", index=False)
    return folder / "bars.csv"


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("bars"))


def configured(data: Path, arms: Sequence[str] = ARMS, options: Mapping[str, Any] | None = None) -> RunConfiguration:
    return read_configuration(options={"data": f"pairs:{data}", "arms": list(arms), **OPTIONS, **(options or {})})


@pytest.fixture(scope="module")
def run(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison, which tests look at and none changes."""
    folder = tmp_path_factory.mktemp("run") / "run"
    compare(configured(bars, (*ARMS, "human")), folder)
    return folder


def files_of(run: Path) -> dict[str, bytes]:
    """What a run says, without what differs from run to run: times, and Lightning's own log."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file()
        and path.name not in ("done", "manifest.json")
        and "tensorboard" not in path.parts
        and not path.name.startswith(".")
    }


def test_a_run_leaves_masks_scores_maps_and_pictures(run: Path) -> None:
    results = pd.read_csv(run / "results.csv")
    assert set(results["arm"]) == {*ARMS, "human"}
    assert {"dice", "hd95", "boundary_dice", "false_islands", "dice[small]", "batch_pooled_dice"} <= set(
        results["metric"]
    )
    comparisons = pd.read_csv(run / "comparisons.csv")
    primary = comparisons[comparisons["primary"]]
    assert set(primary["metric"]) == {"dice"}
    assert len(primary) == 10
    assert set(primary["groups"]) == {2}
    for arm in ARMS:
        assert len(list((run / "fits" / arm / "0-0" / "masks").glob("*.png"))) == 4
    assert sorted(path.stem for path in (run / "maps").glob("*.npy") if "-" not in path.stem) == [
        "joint",
        "pointwise",
        "self",
    ]
    assert len(list((run / "pictures").glob("*.png"))) == 4
    assert not (run / "fits" / "human" / "0-0" / "model.json").exists()


def test_scores_are_those_of_the_masks_that_are_written(run: Path, bars: Path) -> None:
    cohort = load_cohort(f"pairs:{bars}")
    assert cohort.masks is not None
    for arm in ("plain", "human"):
        table = pd.read_csv(run / "fits" / arm / "0-0" / "predictions.csv").set_index("sample")
        for row in range(8, 12):
            sample = cohort.table["sample"].iloc[row]
            with Image.open(run / "fits" / arm / "0-0" / "masks" / f"{sample}.png") as stored:
                mask = np.asarray(stored)
            assert mask.shape == (44, 36)
            expected = mask_scores(mask, cohort.masks.read(row), cohort.classes)
            for name in ("dice", "hd95", "boundary_dice", "tp", "size"):
                assert table[name][sample] == pytest.approx(expected[name], rel=1e-6)
            assert table["area[foreground]"][sample] == (mask == 1).sum()


def test_the_human_arm_is_the_second_observer(run: Path, bars: Path) -> None:
    table = pd.read_csv(run / "fits" / "human" / "0-0" / "predictions.csv")
    for row, dice in zip(range(8, 12), table["dice"], strict=True):
        first, second = (np.asarray(Image.open(bars.parent / f"{row}.{name}.png")) > 0 for name in ("mask", "mask2"))
        assert dice == pytest.approx(2 * (first & second).sum() / (first.sum() + second.sum()))
    assert table["auc"].isna().all()
    results = pd.read_csv(run / "results.csv").set_index(["arm", "metric"])
    assert np.isnan(results["value"]["human", "auc"])
    assert isinstance(results["reason"]["human", "auc"], str)


def test_the_same_command_changes_nothing_and_workers_give_the_same_bytes(
    run: Path, bars: Path, tmp_path: Path
) -> None:
    before = files_of(run)
    compare(configured(bars, (*ARMS, "human")), run)
    assert files_of(run) == before
    compare(configured(bars, (*ARMS, "human")), tmp_path / "run", executor=LocalProcesses(2, threads=1))
    again = files_of(tmp_path / "run")
    assert {name for name in again if not name.startswith("logs/")} == set(before)
    different = [name for name, content in before.items() if again[name] != content]
    assert different == []


def test_prediction_restores_the_size_and_gives_the_masks_of_the_fit(run: Path, bars: Path, tmp_path: Path) -> None:
    model = run / "fits" / "joint" / "0-0"
    count = predict(model, f"pairs:{bars}", tmp_path / "labelled.csv", masks=tmp_path / "masks")
    assert count == 12
    own = pd.read_csv(model / "predictions.csv").set_index("sample")
    table = pd.read_csv(tmp_path / "labelled.csv").set_index("sample")
    for sample in own.index:
        assert (tmp_path / "masks" / f"{sample}.png").read_bytes() == (model / "masks" / f"{sample}.png").read_bytes()
        assert table["dice"][sample] == own["dice"][sample]
    other = tmp_path / "new"
    other.mkdir()
    Image.fromarray(np.full((30, 50), 90, np.uint8)).save(other / "wide.png")
    assert predict(model, str(other), tmp_path / "new.csv") == 1
    with Image.open(tmp_path / "new-masks" / "wide.png.png") as mask:
        assert mask.size == (50, 30)
    table = pd.read_csv(tmp_path / "new.csv")
    assert "dice" not in table
    assert "area[foreground]" in table


def test_explain_writes_maps_of_every_place(run: Path, bars: Path, tmp_path: Path) -> None:
    assert explain(run / "fits" / "joint" / "0-0", str(bars.parent / "0.png"), tmp_path) == 1
    index = pd.read_csv(tmp_path / "maps.csv")
    assert set(index["place"]) == {"bottleneck", "up1.join", "summary"}


def test_patches_stored_scores_and_sound_folds_in_one_run(bars: Path, tmp_path: Path) -> None:
    options = {
        "protocol": "sound",
        "folds": 3,
        "repeats": 1,
        "training.epochs": 1,
        "segmentation.grid": "stored",
        "segmentation.patch": 32,
        "segmentation.patches": 2,
        "preprocessing.image_size": 40,
        "preprocessing.fit": "pad",
        "training.criterion": "dice",
    }
    compare(configured(bars, ("plain",), options), tmp_path / "run")
    splits = pd.read_csv(tmp_path / "run" / "splits.csv")
    assert set(splits["role"]) == {"train", "val", "test"}
    tested = splits.assign(tested=splits["role"] == "test").groupby(["fold", "group"])["tested"].nunique()
    assert (tested == 1).all()
    with Image.open(next((tmp_path / "run" / "fits" / "plain" / "0-0" / "masks").glob("*.png"))) as mask:
        assert mask.size == (40, 40)
    history = pd.read_csv(tmp_path / "run" / "fits" / "plain" / "0-0" / "history.csv")
    assert {"val_loss", "val_dice", "val_accuracy", "train_loss"} <= set(history)
    model = json.loads((tmp_path / "run" / "fits" / "plain" / "0-0" / "model.json").read_text())
    assert (model["windows"], model["views"]) == ({"side": 32, "overlap": 0.25}, 1)


def test_a_network_learns_to_find_the_bars(bars: Path, tmp_path: Path) -> None:
    flips = {"flip": True, "turn": False, "rotate_degrees": 0, "zoom": 0, "brightness": 0, "contrast": 0}
    options = {"training.epochs": 25, "training.batch_size": 4, "training.augmentation": flips}
    found = fit_model(configured(bars, ("joint",), options), tmp_path / "model")
    assert found["dice"] > 0.8


def test_masks_in_front_and_layers_inside_work_with_masks_too(bars: Path, tmp_path: Path) -> None:
    options = {"training.epochs": 1, "training.cutoff": 1, "global.hidden": 4}
    result = compare(configured(bars, ("global", "cbam", "nonlocal", "se"), options), tmp_path / "run")
    assert list(result.summary.index) == ["global", "cbam", "nonlocal", "se"]
    assert result.summary["dice"].between(0, 1).all()


def test_what_would_be_done_is_told_for_masks(bars: Path) -> None:
    configuration, data, _ = load_data(configured(bars, ("plain", "human")))
    expected = forecast(configuration, data).fits.set_index("arm")
    assert expected["seconds"]["plain"] > 0
    assert np.isnan(expected["seconds"]["human"])


@pytest.mark.parametrize(
    ("arms", "options", "message"),
    [
        (("plain",), {"protocol": "paper"}, "'paper', which is for labels, in --protocol"),
        (("plain",), {"metrics": "medmnist"}, "'medmnist', which is for labels, in --metrics"),
        (("plain",), {"training.criterion": "macro_auc"}, "'macro_auc', which is for labels, in training.criterion"),
        (("plain",), {"preprocessing.image_size": 40}, "a multiple of 32 pixels, got 40, in --image-size; give 32"),
        (("plain",), {"segmentation.patch": 48}, "a multiple of 32 pixels, got 48, in segmentation.patch"),
        (("plain",), {"segmentation.patch": 64}, "patches within the images of 32 px, got 64 px"),
        (("joint",), {"joint.contrastive": 0.5}, "labels for the contrastive term, got masks"),
        (("l1",), {"segmentation.patch": 32}, "whole images for the arm 'l1'"),
        (("learn-to-pay",), {}, "learn-to-pay"),
        (("majority",), {}, "majority"),
        (("human",), {"human.observer": 3}, "an observer beside the reference"),
        (("plain",), {"backbone.name": "vgg-att", "backbone.width": None}, "vgg-att"),
        (("plain",), {"metric": "macro_auc"}, "macro_auc"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(
    bars: Path, tmp_path: Path, arms: tuple[str, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(FoveolaError, match=message):
        compare(configured(bars, arms, options), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sixteen_bit_images_are_converted_scored_and_predicted(tmp_path: Path) -> None:
    table = draw(tmp_path, count=12, observers=1)
    for number in range(12):
        with Image.open(tmp_path / f"{number}.png") as image:
            values = np.asarray(image).astype(np.uint16) * 257
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    with pytest.raises(FoveolaError, match="an 8-bit grey or RGB image, got mode I;16"):
        compare(configured(table, ("plain",)), tmp_path / "strict")
    options = {"preprocessing.modes": "convert", "training.epochs": 1}
    compare(configured(table, ("plain",), options), tmp_path / "run")
    assert len(list((tmp_path / "run" / "pictures").glob("*.png"))) == 4
    assert predict(tmp_path / "run" / "fits" / "plain" / "0-0", str(tmp_path / "0.png"), tmp_path / "one.csv") == 1


def test_written_masks_hold_the_numbers_of_many_classes(tmp_path: Path) -> None:
    mask = np.arange(255, dtype=np.uint8).reshape(15, 17)
    write_mask(tmp_path / "mask.png", mask)
    with Image.open(tmp_path / "mask.png") as stored:
        np.testing.assert_array_equal(np.asarray(stored), mask)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"training.criterion": "dice"}, "'dice', which is for masks"),
        ({"metrics": "segmentation"}, "'segmentation', which is for masks"),
        ({"segmentation.patch": 32}, "which is for masks, in segmentation"),
    ],
)
def test_what_is_for_masks_is_refused_for_labels(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    configuration = read_configuration(options={"data": "digits", "arms": ["plain"], **options})
    with pytest.raises(FoveolaError, match=message):
        compare(configuration, tmp_path / "run")


def test_a_human_needs_masks(tmp_path: Path) -> None:
    configuration = read_configuration(options={"data": "digits", "arms": ["human"], "backbone.name": "small-cnn"})
    with pytest.raises(FoveolaError, match="images with masks, got images with labels"):
        compare(configuration, tmp_path / "run")


def test_images_without_foreground_are_trained_on_and_scored(tmp_path: Path) -> None:
    table = draw(tmp_path, observers=1)
    for number in range(12):
        with Image.open(tmp_path / f"{number}.mask.png") as mask:
            size = mask.size
        Image.new("L", size).save(tmp_path / f"{number}.mask.png")
    result = compare(
        configured(table, ("plain",), {"data": f"pairs:{table},classes=0:nothing+255:bar"}), tmp_path / "run"
    )
    assert 0 <= result.summary["dice"]["plain"] <= 1
    values = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert values["sensitivity"].isna().all()
    assert values["dice"].isin([0, 1]).all()
