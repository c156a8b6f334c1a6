"""One fit: build the arm, train or solve it, predict its test images, and leave a folder behind."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from foveola import atomic
from foveola.attention import ARMS
from foveola.data.cohort import Cohort
from foveola.errors import FoveolaError
from foveola.execution import DONE
from foveola.models import FittedModel, ImageShape, ModelDescription, arm_backbone, arm_network
from foveola.models.scaling import choose_scaling
from foveola.protocol.configuration import RunConfiguration
from foveola.protocol.fit_maps import write_map_before, write_maps
from foveola.protocol.plan import PlannedFit, rows_of
from foveola.protocol.selection import score_of, settings_of
from foveola.training import EpochWatch, PixelRows, Progress, TrainingSettings
from foveola.training.fitting import fit_pixels
from foveola.training.train import CHECKPOINT
from foveola.training.untrained import check_device


@dataclass(frozen=True)
class FitData:
    """What all fits of a comparison share.

    Attributes:
        cohort: The images and what is known of them.
        pixels: The stored images, ``N x C x H x W``.
        splits: The split table.
    """

    cohort: Cohort
    pixels: np.ndarray
    splits: pd.DataFrame

    @property
    def shape(self) -> ImageShape:
        """What a network is to take and to tell apart."""
        channels, size = self.pixels.shape[1:3]
        return ImageShape(channels=channels, size=size, classes=len(self.cohort.classes))

    def rows(self, role: str, fold: int) -> np.ndarray:
        """Returns the positions of the images that play a role in a fold."""
        return rows_of(role, fold, self.splits, self.cohort)


def check_fit(configuration: RunConfiguration, data: FitData) -> None:
    """Looks for the device and builds the network of every arm once, before anything is written.

    Raises:
        FoveolaError: For a device that is not there, or a backbone, weights, an image size or settings of an arm that
            cannot be used.
    """
    check_device(configuration.training.device)
    with torch.random.fork_rng():
        for name, values in configuration.arms.items():
            arm = ARMS[name]
            arm_network(arm, arm.configure(values), configuration.backbone, data.shape)


def run_fit(
    planned: PlannedFit,
    configuration: RunConfiguration,
    data: FitData,
    folder: Path,
    progress: Progress | None = None,
    watch: EpochWatch | None = None,
) -> None:
    """Fits one arm and writes its folder; ``done`` comes last, so a folder that has it is whole.

    The weights of the backbone and the order of the batches depend on the seed and the fold alone, so all arms share
    them. Only the training images of the fold reach the scaling, the pixel representation and the loss. An arm that is
    solved rather than trained watches none, and learns from those that others validate on too.

    Args:
        planned: Which arm, fold and seed.
        configuration: Resolved.
        data: The images and the split.
        folder: Where to write; training goes on from a ``last.ckpt`` that is there.
        progress: Told the epoch, the steps done and the steps in all.
        watch: Told the values of each epoch; it may raise to stop.

    Raises:
        FoveolaError: If the training diverged.
    """
    started = time.perf_counter()
    configuration = settings_of(planned, configuration, folder)
    training, watched = data.rows("train", planned.fold), data.rows(planned.watches, planned.fold)
    if ARMS[planned.arm].solve is not None:
        training = np.sort(np.concatenate([training, data.rows("val", planned.fold)]))
    labels, groups = (data.cohort.table[name].to_numpy() for name in ("label", "group"))

    def before(model: FittedModel) -> None:
        if planned.tests:
            write_map_before(folder, model, data.pixels, data.rows("test", planned.fold))

    fitted = fit_pixels(
        _description(planned, configuration, data, training),
        _training(planned, configuration),
        PixelRows(data.pixels, training, labels[training]),
        PixelRows(data.pixels, watched, labels[watched]),
        groups=groups[training],
        folder=folder,
        before=before,
        progress=progress,
        watched=planned.watches,
        watch=watch,
    )
    if planned.tests:
        _test(fitted, data, folder)
    epoch = fitted.description.epoch
    facts: dict[str, float | None] = {"seconds": round(time.perf_counter() - started, 3), "epoch": epoch}
    if planned.trial is not None:
        facts["score"] = score_of(folder, epoch, configuration.training.criterion)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    atomic.write_json(folder / DONE, facts)


def _training(planned: PlannedFit, configuration: RunConfiguration) -> TrainingSettings:
    """Returns how to train; test images that are looked at never choose an epoch."""
    keep = configuration.training.keep if planned.watches == "val" else "last"
    return configuration.training.model_copy(update={"keep": keep})


def _description(
    planned: PlannedFit, configuration: RunConfiguration, data: FitData, training: np.ndarray
) -> ModelDescription:
    """Says what the model of a fit is to be."""
    arm = ARMS[planned.arm]
    settings = arm.configure(configuration.arms[planned.arm])
    backbone = arm_backbone(arm, settings, configuration.backbone)
    return ModelDescription(
        arm=planned.arm, fold=planned.fold, seed=planned.seed, epoch=0,
        classes=data.cohort.classes, channels=data.shape.channels, backbone=backbone,
        preprocessing=configuration.preprocessing,
        scaling=choose_scaling(configuration.preprocessing, backbone, data.pixels, training),
        arm_settings=settings.model_dump(mode="json"), attention={},
        label=configuration.label, bins=configuration.bins,
    )  # fmt: skip


def _test(model: FittedModel, data: FitData, folder: Path) -> None:
    """Writes the model, its predictions of the test images, and its maps."""
    tested = data.rows("test", model.description.fold)
    model.save(folder)
    predictions = model.predict(data.cohort, data.pixels, tested)
    if predictions.isna().to_numpy().any():
        raise FoveolaError("finite probabilities", "NaN: the training diverged", str(folder), "give a smaller --lr")
    write_maps(folder, model, data.cohort, data.pixels, tested)
    atomic.write_csv(folder / "predictions.csv", predictions)
