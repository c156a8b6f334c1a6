"""One fit: build the arm, train or solve it, predict its test images, and leave a folder behind."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from foveola.attention import ARMS
from foveola.execution import DONE
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.models import FittedModel, ModelDescription, arm_backbone, arm_network
from foveola.models.fitted.scaling import choose_scaling
from foveola.protocol.planning.chosen_settings import score_of, settings_of
from foveola.protocol.planning.plan import PlannedFit
from foveola.protocol.run.fit_data import FitData, network_shape
from foveola.protocol.run.fit_maps import write_map_before, write_maps
from foveola.protocol.run.mask_predictions import (
    PREDICTED_MASKS,
    STRIDE,
    check_finite,
    check_sides,
    observer_of,
    predict_masks,
    scoring_grid,
    write_masks,
)
from foveola.protocol.settings.configuration import RunConfiguration
from foveola.training import EpochWatch, Progress, TrainingSettings
from foveola.training.fitting import fit_pixels
from foveola.training.train import CHECKPOINT
from foveola.training.untrained import check_device


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
            if arm.human:
                observer_of(data.cohort, arm.configure(values))
                continue
            settings, shape = arm.configure(values), network_shape(configuration, data)
            network = arm_network(arm, settings, configuration.backbone, shape)
            if shape.per_pixel:
                check_sides(configuration, data.pixels.shape[2], max(STRIDE, getattr(network, "stride", STRIDE)))
            if shape.per_pixel and settings.contrastive:
                raise FoveolaError("labels for the contrastive term", "masks", f"{name}.contrastive", "leave it out")


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
    solved rather than trained watches none, and learns from those that others validate on too. A human observer learns
    from none; the masks are scored.

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
    arm = ARMS[planned.arm]
    if arm.human:
        _test_observer(planned, configuration, data, folder)
        atomic.write_json(folder / DONE, {"seconds": round(time.perf_counter() - started, 3), "epoch": 0})
        return
    training, watched = data.rows("train", planned.fold), data.rows(planned.watches, planned.fold)
    if arm.solve is not None:
        training = np.sort(np.concatenate([training, data.rows("val", planned.fold)]))

    def before(model: FittedModel) -> None:
        if planned.tests:
            write_map_before(folder, model, data.pixels, data.rows("test", planned.fold))

    fitted = fit_pixels(
        _description(planned, configuration, data, training),
        _training(planned, configuration),
        data.images(training),
        data.images(watched),
        groups=data.cohort.table["group"].to_numpy()[training],
        folder=folder,
        segmentation=configuration.segmentation,
        before=before,
        progress=progress,
        watched=planned.watches,
        watch=watch,
    )
    if planned.tests:
        _test(fitted, configuration, data, folder)
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
        arm=planned.arm,
        fold=planned.fold,
        seed=planned.seed,
        epoch=0,
        classes=data.cohort.classes,
        channels=data.pixels.shape[1],
        backbone=backbone,
        preprocessing=configuration.preprocessing,
        scaling=choose_scaling(configuration.preprocessing, backbone, data.pixels, training),
        arm_settings=settings.model_dump(mode="json"),
        attention={},
        label=configuration.label,
        bins=configuration.bins,
        per_pixel=data.masks is not None,
        windows=configuration.segmentation.windows,
        views=configuration.segmentation.views,
    )


def _test(model: FittedModel, configuration: RunConfiguration, data: FitData, folder: Path) -> None:
    """Writes the model, its predictions of the test images, and its maps."""
    tested = data.rows("test", model.description.fold)
    model.save(folder)
    if data.masks is not None:
        predictions = predict_masks(
            model, data.pixels, tested, scoring_grid(configuration, data), folder / PREDICTED_MASKS
        )
    else:
        predictions = model.predict(data.cohort, data.pixels, tested)
        check_finite(predictions.isna().to_numpy(), folder)
    write_maps(folder, model, data.cohort, data.pixels, tested)
    atomic.write_csv(folder / "predictions.csv", predictions)


def _test_observer(planned: PlannedFit, configuration: RunConfiguration, data: FitData, folder: Path) -> None:
    """Writes a human observer's masks of the test images, and how they agree with the reference."""
    rows, grid = data.rows("test", planned.fold), scoring_grid(configuration, data)
    observer = observer_of(data.cohort, ARMS[planned.arm].configure(configuration.arms[planned.arm]))
    identity = {"arm": planned.arm, "fold": planned.fold, "seed": planned.seed, "epoch": 0}
    answers = ((grid.observed(row, observer), None) for row in rows.tolist())
    predictions = write_masks(answers, identity, rows, grid, data.cohort.classes, folder / PREDICTED_MASKS)
    atomic.write_csv(folder / "predictions.csv", predictions)
