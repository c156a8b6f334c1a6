"""A tiny cohort, and what it takes to train on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from foveola.attention import ARMS, Attended
from foveola.data.stored.preprocessing import Scaling
from foveola.models.zoo.small_cnn import small_cnn
from foveola.training import NormalisedBatches, PixelRows, Progress, TrainingSettings, train
from foveola.training.module import AttentionTraining

ROWS = 25
"""Training images: four batches of 6 an epoch, the last of which takes in the 25th."""
OPTIONS: dict[str, dict[str, Any]] = {"global": {"hidden": 5}}


@dataclass
class Case:
    """Images of 12 x 10 pixels in three classes, the first ones for training."""

    pixels: np.ndarray
    labels: np.ndarray
    settings: TrainingSettings
    scaling: Scaling = field(default_factory=lambda: Scaling(mean=(0.5,), std=(0.25,)))

    def rows(self, start: int, stop: int) -> PixelRows:
        return PixelRows(self.pixels, np.arange(start, stop), self.labels[start:stop])

    def model(self, arm: str, seed: int = 0, **options: Any) -> Attended:
        """Returns an untrained model, the same for the same seed."""
        settings = ARMS[arm].configure({**OPTIONS.get(arm, {}), **options})
        torch.manual_seed(seed)
        network = small_cnn(channels=1, classes=3, width=4)
        build = ARMS[arm].mask
        batches = NormalisedBatches(self.pixels, np.arange(ROWS), self.scaling)
        return Attended(network, build(batches, settings) if build else None)

    def train(
        self,
        arm: str,
        folder: Path,
        *,
        seed: int = 1,
        progress: Progress | None = None,
        training: PixelRows | None = None,
        validation: PixelRows | None = None,
        **options: Any,
    ) -> Attended:
        """Builds a model, trains it and returns it."""
        model = self.model(arm, **options)
        train(
            model,
            self.rows(0, ROWS) if training is None else training,
            self.rows(ROWS, len(self.pixels)) if validation is None else validation,
            scaling=self.scaling,
            settings=self.settings,
            arm=ARMS[arm].configure({**OPTIONS.get(arm, {}), **options}),
            seed=seed,
            folder=folder,
            progress=progress,
        )
        return model


@pytest.fixture
def case() -> Case:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 36)
    pixels = rng.integers(0, 120, (36, 1, 12, 10), dtype=np.uint8)
    for index, label in enumerate(labels):
        pixels[index, 0, 2 + 3 * label : 5 + 3 * label, 4:7] += 100
    settings = TrainingSettings(epochs=5, cutoff=3, lr=1e-3, batch_size=6, device="cpu")
    return Case(pixels, labels, settings)


@dataclass
class Epoch:
    """What stood when an epoch began, after the phase of this epoch was entered."""

    map: Tensor | None
    lrs: list[float]
    momenta_before: list[Tensor]
    momenta: list[Tensor]


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[Epoch]:
    """Fills up with one entry an epoch while something is trained."""
    seen: list[Epoch] = []
    enter = AttentionTraining.on_train_epoch_start

    def momenta(optimizer: torch.optim.Optimizer) -> list[Tensor]:
        return [state["exp_avg"].clone() for state in optimizer.state.values()]

    def watched(module: AttentionTraining) -> None:
        optimizer = module.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        before = momenta(optimizer)
        enter(module)
        attention = module.model.attention
        lrs = [group["lr"] for group in optimizer.param_groups]
        seen.append(Epoch(attention.map() if attention else None, lrs, before, momenta(optimizer)))

    monkeypatch.setattr(AttentionTraining, "on_train_epoch_start", watched)
    return seen
