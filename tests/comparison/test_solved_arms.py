"""Fits of arms that are solved rather than trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file

from foveola.attention import ARMS
from foveola.comparison import load_data
from foveola.models import FittedModel
from foveola.protocol import PlannedFit, RunConfiguration, run_fit

Configure = Callable[..., RunConfiguration]
Arrays = dict[str, np.ndarray]
DrawScans = Callable[..., Arrays]

OPTIONS = {"linear-probe": {"linear-probe.untrained": True}}
SOLVED = [name for name, arm in ARMS.items() if arm.solve is not None]


def fitted(configuration: RunConfiguration, arm: str, folder: Path) -> Path:
    configuration, data, _ = load_data(configuration)
    run_fit(PlannedFit(arm, 0, 0), configuration, data, folder)
    return folder


@pytest.mark.parametrize("arm", SOLVED)
def test_test_images_never_change_what_is_learned_and_training_images_do(
    arm: str, configure: Configure, draw_scans: DrawScans, tmp_path: Path
) -> None:
    drawn = draw_scans()

    def learned(name: str, **arrays: np.ndarray) -> bytes:
        np.savez(tmp_path / f"{name}.npz", **{**drawn, **arrays})  # type: ignore[arg-type]
        options = {"data": str(tmp_path / f"{name}.npz"), **OPTIONS.get(arm, {})}
        folder = fitted(configure([arm], options), arm, tmp_path / name)
        return (folder / "model.safetensors").read_bytes()

    reference = learned("reference")
    others = {"test_images": 255 - drawn["test_images"], "test_labels": 2 - drawn["test_labels"]}
    assert learned("changed", **others) == reference
    assert learned("relabelled", train_labels=drawn["train_labels"] // 2) != reference


def test_it_leaves_a_model_of_no_epoch_and_predictions(configure: Configure, tmp_path: Path) -> None:
    folder = fitted(configure(["svm"]), "svm", tmp_path / "fit")
    predictions = pd.read_csv(folder / "predictions.csv")
    assert (predictions["epoch"] == 0).all()
    columns = [name for name in predictions if name.startswith("p_")]
    assert np.allclose(predictions[columns].sum(axis=1), 1)
    assert (predictions[columns].idxmax(axis=1).str[2:] == predictions["label"].astype(str)).mean() > 0.6
    assert not list(folder.glob("map*"))
    assert json.loads((folder / "done").read_text())["epoch"] == 0


def test_a_probe_keeps_the_name_of_its_file_of_weights_alone(configure: Configure, tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = tmp_path / "own.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=5).state_dict(), file)
    options = {"linear-probe.backbone": "test_resnet", "linear-probe.weights": str(file), "linear-probe.size": 32}
    folder = fitted(configure(["linear-probe"], options), "linear-probe", tmp_path / "fit")
    description = FittedModel.load(folder).description
    assert description.arm_settings["weights"] == str(description.backbone.weights) == "own.safetensors"
    assert description.backbone.name == "test_resnet"
    assert str(tmp_path) not in (folder / "model.json").read_text()
