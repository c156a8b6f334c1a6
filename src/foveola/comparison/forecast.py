"""What a comparison will do and what it will cost, before anything is trained or written."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foveola.attention import ARMS
from foveola.models import arm_backbone
from foveola.models.fitted.scaling import choose_scaling
from foveola.protocol.planning.plan import PlannedFit, plan
from foveola.protocol.run.fit_data import FitData, network_shape
from foveola.protocol.run.run_folder import RunFolder
from foveola.protocol.settings.configuration import RunConfiguration
from foveola.tasks import task_of
from foveola.training import Progress, train
from foveola.training.untrained import untrained

Key = tuple[str, str]

BATCHES = 3
"""So many are trained on to see how long one takes."""
FORWARD = 1 / 3
"""What looking at an image costs, in terms of training on it."""
PURPOSES = {
    "trial": "tries settings, scored on its validation images",
    "rank": "ranks epochs on its validation images",
    "watch": "is scored on the test images after every epoch",
    "test": "is tested",
}


@dataclass(frozen=True)
class Forecast:
    """What is going to be done.

    Attributes:
        fits: One row for all fits of one kind: arm, purpose, fits, and how many images are trained on, validated on and
            tested on (as text, ``1,156`` or ``50-1,200``), and ``seconds`` for all of them, NaN where not known.
    """

    fits: pd.DataFrame

    @property
    def seconds(self) -> float:
        """What all fits together take on this machine, as far as it is known."""
        return float(self.fits["seconds"].sum())


def forecast(
    configuration: RunConfiguration, data: FitData, folder: Path | None = None, progress: Progress | None = None
) -> Forecast:
    """Says which fits a comparison consists of, and measures a few steps of each arm to estimate the time.

    The estimate is for the fits one after the other, in this process; that of an arm which is solved rather than
    trained is not known.

    Args:
        configuration: Resolved.
        data: The images and the split.
        folder: Of the run; fits that are finished there are left out.
        progress: Told how many arms are measured.
    """
    planned = [fit for fit in plan(configuration, data.splits) if folder is None or not RunFolder(folder).is_done(fit)]
    arms = list(dict.fromkeys(fit.arm for fit in planned))
    paces: dict[str, float] = {}
    for number, arm in enumerate(arms, start=1):
        paces[arm] = _seconds_per_image(arm, configuration, data)
        if progress:
            progress("Measuring arms", number, len(arms))
    counts = (
        data.splits.groupby(["fold", "role"]).size().unstack(fill_value=0).reindex(columns=["train", "val", "test"])
    )
    counts = counts.fillna(0).astype(int)
    rows = []
    for (arm, purpose), fits in _by(planned, lambda fit: (fit.arm, _purpose(fit))).items():
        own = counts.loc[[fit.fold for fit in fits]]
        watched = own["test"] if purpose == "watch" else own["val"]
        images = own["train"] + FORWARD * watched
        seconds = float(images.sum()) * configuration.training.epochs * paces[arm]
        tested = own["test"] if fits[0].tests else 0 * own["test"]
        sizes = [_range(values) for values in (own["train"], own["val"], tested)]
        rows.append((arm, PURPOSES[purpose], len(fits), *sizes, seconds))
    columns = ["arm", "purpose", "fits", "train", "validate", "test", "seconds"]
    return Forecast(pd.DataFrame(rows, columns=columns))


def _purpose(fit: PlannedFit) -> str:
    if fit.trial is not None:
        return "trial"
    if fit.watches == "test":
        return "watch"
    return "test" if fit.tests else "rank"


def _by(
    fits: list[PlannedFit], key: Callable[[PlannedFit], tuple[str, str]]
) -> dict[tuple[str, str], list[PlannedFit]]:
    grouped: dict[tuple[str, str], list[PlannedFit]] = {}
    for fit in fits:
        grouped.setdefault(key(fit), []).append(fit)
    return grouped


def _range(values: pd.Series[int]) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"


def _seconds_per_image(name: str, configuration: RunConfiguration, data: FitData) -> float:
    """Returns what one image of one epoch takes: that of the faster of two epochs on a few batches."""
    arm = ARMS[name]
    if not arm.trains:
        return float("nan")
    settings = arm.configure(configuration.arms[name])
    few = configuration.training.model_copy(update={"epochs": 2, "cutoff": 2, "keep": "last"})
    rows = np.sort(data.rows("train", int(data.splits["fold"].min()))[: BATCHES * few.batch_size])
    scaling = choose_scaling(
        configuration.preprocessing, arm_backbone(arm, settings, configuration.backbone), data.pixels, rows
    )
    backbone = configuration.backbone.model_copy(update={"pretrained": False, "weights": None})
    shape, times = network_shape(configuration, data), [time.perf_counter()]
    model = untrained(arm, settings, backbone, shape, data.pixels, rows, scaling=scaling, seed=0)
    task = task_of(shape.per_pixel, few.augmentation_of(shape.per_pixel), configuration.segmentation, shape.classes)
    with tempfile.TemporaryDirectory() as scratch:
        train(
            model.train(),
            data.images(rows),
            data.images(rows[:0]),
            task=task,
            scaling=scaling,
            settings=few,
            arm=settings,
            seed=0,
            folder=Path(scratch),
            watch=lambda *_: times.append(time.perf_counter()),
        )
    return float(np.diff(times).min()) / len(rows)
