"""Training on masks is the training on labels: it learns, goes on where it was stopped, and keeps the best epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from foveola.attention import ARMS, Attended
from foveola.data.images.masks import IGNORED
from foveola.data.stored.preprocessing import Scaling
from foveola.models.zoo.small_unet import SmallUNet
from foveola.tasks import Segmentation
from foveola.tasks.augmentation import AugmentationSettings
from foveola.tasks.settings import SegmentationSettings
from foveola.training import PixelRows, TrainingSettings, train
from foveola.training.batches import NormalisedBatches

SIZE, TRAINED = 40, 14
USUAL = AugmentationSettings(flip=True, turn=True, rotate_degrees=15, zoom=0.1, brightness=0.1, contrast=0.1)
PATCHES = SegmentationSettings(patch=32, patches=2, overlap=0.5)
SCALING = Scaling(mean=(0.5,), std=(0.25,))


@dataclass
class Discs:
    """Noise with a bright disc, which is to be found; what lies beside the image is ignored."""

    pixels: np.ndarray
    masks: np.ndarray

    def rows(self, start: int, stop: int) -> PixelRows:
        return PixelRows(self.pixels, np.arange(start, stop), np.full(stop - start, -1), self.masks)

    def train(
        self,
        arm: str,
        folder: Path,
        *,
        segmentation: SegmentationSettings = PATCHES,
        options: Any = None,
        augmentation: AugmentationSettings = USUAL,
        progress: Any = None,
        **training: Any,
    ) -> tuple[Attended, int]:
        """Builds a narrow U-Net, trains it and returns it and its epoch."""
        settings = ARMS[arm].configure(options or {})
        torch.manual_seed(0)
        network: Any = SmallUNet(channels=1, classes=2, width=4)
        network = ARMS[arm].adapt(network, torch.zeros(1, 1, SIZE, SIZE), settings)
        build = ARMS[arm].mask
        batches = NormalisedBatches(self.pixels, np.arange(TRAINED), SCALING)
        model = Attended(network, build(batches, settings) if build else None)
        epoch = train(
            model,
            self.rows(0, TRAINED),
            self.rows(TRAINED, len(self.pixels)),
            scaling=SCALING,
            settings=TrainingSettings(**{"epochs": 3, "lr": 0.01, "batch_size": 4, "device": "cpu", **training}),
            arm=settings,
            seed=1,
            folder=folder,
            task=Segmentation(segmentation, augmentation, 2),
            progress=progress,
        )
        return model, epoch


@pytest.fixture(scope="module")
def discs() -> Discs:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 150, (20, 1, SIZE, SIZE), dtype=np.uint8)
    masks = np.zeros((20, SIZE, SIZE), np.uint8)
    y, x = np.mgrid[:SIZE, :SIZE]
    for image, mask in zip(pixels, masks, strict=True):
        row, column, radius = rng.integers(10, 30), rng.integers(10, 30), rng.integers(5, 10)
        mask[np.hypot(y - row, x - column) < radius] = 1
        image[0][mask == 1] += 90
    masks[:, :3] = IGNORED
    return Discs(pixels, masks)


class StopError(Exception):
    """Stands for whatever ends a process."""


def stop_at(step: int) -> Callable[[str, int, int], None]:
    def report(_: str, done: int, __: int) -> None:
        if done == step:
            raise StopError

    return report


def states(model: Attended) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("loss", ["dice-ce", "matthews"])
def test_a_disc_is_found(discs: Discs, loss: Any, tmp_path: Path) -> None:
    segmentation = PATCHES.model_copy(update={"loss": loss})
    _, epoch = discs.train("plain", tmp_path, segmentation=segmentation, epochs=12, lr=0.02)
    table = pd.read_csv(tmp_path / "history.csv")
    assert epoch == 12
    assert table["val_dice"].iloc[0] < 0.7
    assert table["val_dice"].iloc[-1] > 0.85
    assert table["train_loss"].iloc[-1] < 0.5 * table["train_loss"].iloc[0]
    assert table["val_accuracy"].iloc[-1] > 0.95


@pytest.mark.parametrize(
    ("arm", "segmentation"),
    [("joint", PATCHES), ("l1", SegmentationSettings())],
    ids=["attention in patches", "a mask on whole images"],
)
def test_goes_on_from_any_step(discs: Discs, arm: str, segmentation: SegmentationSettings, tmp_path: Path) -> None:
    whole, _ = discs.train(arm, tmp_path / "whole", segmentation=segmentation)
    for step in (2, 7):  # of four an epoch
        folder = tmp_path / f"{step}"
        with pytest.raises(StopError):
            discs.train(arm, folder, segmentation=segmentation, progress=stop_at(step))
        resumed, _ = discs.train(arm, folder, segmentation=segmentation)
        assert states(resumed) == states(whole)
        assert (folder / "history.csv").read_bytes() == (tmp_path / "whole" / "history.csv").read_bytes()
    if segmentation == PATCHES:
        still, _ = discs.train(arm, tmp_path / "still", segmentation=segmentation, augmentation=AugmentationSettings())
        assert states(still) != states(whole), "nothing was augmented"


def test_the_epoch_of_the_best_dice_is_kept(discs: Discs, tmp_path: Path) -> None:
    options: dict[str, Any] = {"schedule": "constant", "lr": 0.02, "batch_size": 2}
    model, epoch = discs.train("plain", tmp_path / "best", keep="best", criterion="dice", epochs=5, **options)
    dice = pd.read_csv(tmp_path / "best" / "history.csv")["val_dice"]
    assert epoch == 1 + int(dice.argmax())
    assert epoch < 5, "the last epoch is the best one, and the test tells nothing"
    alone, _ = discs.train("plain", tmp_path / "alone", epochs=epoch, **options)
    assert states(model) == states(alone)


def test_the_history_has_the_mean_dice_of_whole_images(discs: Discs, tmp_path: Path) -> None:
    model, _ = discs.train("plain", tmp_path, segmentation=SegmentationSettings(), epochs=2)
    scores = []
    for index in range(TRAINED, len(discs.pixels)):
        with torch.no_grad():
            logits = model(SCALING.apply(torch.from_numpy(discs.pixels[index : index + 1])))
        called = (logits[0, 1] > logits[0, 0]).numpy() & (discs.masks[index] != IGNORED)
        there = discs.masks[index] == 1
        scores.append(2 * (called & there).sum() / (called.sum() + there.sum()))
    assert pd.read_csv(tmp_path / "history.csv")["val_dice"].iloc[-1] == pytest.approx(np.mean(scores), abs=1e-6)
