"""One fit on arrays: from what a model is to be and labelled images to the fitted model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from foveola.attention import ARMS
from foveola.models import FittedModel, ModelDescription
from foveola.tasks import SegmentationSettings, task_of
from foveola.training.batches import NormalisedBatches, PixelRows
from foveola.training.callbacks import EpochWatch, Progress
from foveola.training.settings import TrainingSettings
from foveola.training.train import train
from foveola.training.untrained import untrained


def fit_pixels(
    description: ModelDescription,
    settings: TrainingSettings,
    training: PixelRows,
    validation: PixelRows,
    *,
    groups: np.ndarray,
    folder: Path,
    segmentation: SegmentationSettings | None = None,
    before: Callable[[FittedModel], None] | None = None,
    progress: Progress | None = None,
    watched: str = "val",
    watch: EpochWatch | None = None,
) -> FittedModel:
    """Builds a model and trains it, or solves it where its arm is a classical baseline.

    The same description, settings and images give the same model. PyTorch's global generator is left as it was.

    Args:
        description: What the model is to be. Its weights may be a path; what it says of the epoch and of the
            attention is filled in.
        settings: How to train; a baseline is solved whatever they are.
        training: The training images; no others reach what is learned.
        validation: Images that are looked at after each epoch; may be empty. A baseline looks at none.
        groups: The group of each training image, ``""`` for one of its own.
        folder: Where training writes, and goes on from where it was stopped; see `train`.
        segmentation: How masks are learned, for images that have some.
        before: Given the model before it is trained.
        progress: Told the epoch, the steps done and the steps in all.
        watched: What the images that are looked at are called in the history.
        watch: Told the values of each epoch.

    Returns:
        The model in evaluation mode, on the CPU. Its description has the epoch that it is of, 0 for a baseline, and of
        files of weights no more than the name.

    Raises:
        FoveolaError: For what cannot be built for such images.
    """
    arm = ARMS[description.arm]
    own = arm.configure(description.arm_settings)
    backbone, scaling, seed = description.backbone, description.scaling, description.seed
    model = untrained(arm, own, backbone, description.shape, training.pixels, training.rows, scaling=scaling, seed=seed)
    facts = model.attention.facts() if model.attention else {}
    names = {key: value.name for key, value in own if isinstance(value, Path)}
    known = {
        "backbone": backbone.model_copy(update={"weights": backbone.weights and Path(backbone.weights.name)}),
        "arm_settings": description.arm_settings | names,
    }
    fitted = FittedModel(model, description.model_copy(update=known | {"attention": facts, "epoch": 0}))
    with torch.random.fork_rng():
        if before:
            before(fitted)
        if arm.solve is not None:
            batches = NormalisedBatches(training.pixels, training.rows, scaling)
            model.network = arm.solve(model.network, batches, training.labels.numpy(), groups, own, seed).eval()
            return fitted
        shape = description.shape
        augmentation = settings.augmentation_of(shape.per_pixel)
        task = task_of(shape.per_pixel, augmentation, segmentation or SegmentationSettings(), shape.classes)
        epoch = train(
            model.train(),
            training,
            validation,
            task=task,
            scaling=scaling,
            settings=settings,
            arm=own,
            seed=seed,
            folder=folder,
            progress=progress,
            watched=watched,
            watch=watch,
        )
    return replace(fitted, description=fitted.description.model_copy(update={"epoch": epoch}))
