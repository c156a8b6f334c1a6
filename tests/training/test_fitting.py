"""One fit on arrays fills in what a description cannot know, and looks at what it may look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from foveola.data.stored.preprocessing import Preprocessing, Scaling
from foveola.models import BackboneSettings, FittedModel, ModelDescription
from foveola.models.zoo.small_cnn import small_cnn
from foveola.training import PixelRows, TrainingSettings
from foveola.training.fitting import fit_pixels

RNG = np.random.default_rng(2)
LABELS = np.arange(19) % 3
PIXELS = RNG.random((19, 1, 12, 12), dtype=np.float32)


def described(weights: Path | None = None) -> ModelDescription:
    return ModelDescription(
        arm="global",
        fold=2,
        seed=5,
        epoch=77,
        classes=("a", "b", "c"),
        channels=1,
        backbone=BackboneSettings(name="small-cnn", weights=weights),
        preprocessing=Preprocessing(image_size=12),
        scaling=Scaling(mean=(0.5,), std=(0.3,)),
        arm_settings={"hidden": 5},
        attention={},
    )


def fitted(folder: Path, pixels: np.ndarray = PIXELS, weights: Path | None = None, **options: Any) -> FittedModel:
    """Trains on images 0 to 12 and looks at 13 to 16."""
    learned, watched = np.arange(13), np.arange(13, 17)
    return fit_pixels(
        described(weights),
        TrainingSettings(epochs=3, batch_size=6, lr=0.01, device="cpu", keep="best"),
        PixelRows(pixels, learned, LABELS[learned]),
        PixelRows(pixels, watched, LABELS[watched]),
        groups=np.full(13, ""),
        folder=folder,
        **options,
    )


def test_the_description_says_what_came_of_it(tmp_path: Path) -> None:
    torch.save(small_cnn(1, 3).state_dict(), tmp_path / "start.pth")
    before: list[tuple[np.ndarray | None, int]] = []
    told: list[int] = []
    state = torch.get_rng_state()
    model = fitted(
        tmp_path,
        weights=tmp_path / "start.pth",
        watch=lambda epoch, values: told.append(epoch),
        before=lambda untrained: before.append((untrained.map, untrained.description.epoch)),
    )
    assert torch.equal(torch.get_rng_state(), state)
    history = pd.read_csv(tmp_path / "history.csv")
    assert model.description.epoch == 1 + history["val_loss"].idxmin()
    assert model.description.backbone.weights == Path("start.pth")
    assert (model.description.fold, model.description.seed, told) == (2, 5, [1, 2, 3])
    assert before[0][1] == 0
    assert model.map is not None
    assert before[0][0] is not None
    assert not np.array_equal(before[0][0], model.map), "the map before was that after"
    assert not any(module.training for module in model.network.modules())


def test_other_images_are_not_looked_at(tmp_path: Path) -> None:
    other = PIXELS.copy()
    other[17:] = 0.25
    for name, pixels in (("one", PIXELS), ("two", other)):
        (tmp_path / name).mkdir()
        fitted(tmp_path / name, pixels).save(tmp_path / name)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
