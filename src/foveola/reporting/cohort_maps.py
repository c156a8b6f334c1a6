"""The maps of a comparison: mean and sd over fits, pictures, and scores against a known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from foveola.foundation import atomic
from foveola.maps.average import mean_and_sd, mean_image
from foveola.maps.score import truth_auc
from foveola.maps.summary import is_relative
from foveola.pictures.map_pictures import arms_picture, before_after_picture, map_picture
from foveola.protocol.planning.plan import PlannedFit
from foveola.protocol.run.fit_data import FitData
from foveola.protocol.run.fit_maps import BEFORE, MAP, PLACES, TRUTH_SCORES
from foveola.protocol.run.run_folder import RunFolder

TRUTH_COLUMNS = ("arm", "fold", "seed", "auc_before", "auc", "auc_images")


def save_maps(run: RunFolder, planned: list[PlannedFit], data: FitData) -> pd.DataFrame:
    """Writes ``maps/`` and returns how well each fit's map finds the truth region.

    For every arm with maps, from the cohort maps of its fits: ``ARM.npy`` and ``ARM-sd.npy``, the mean and the sd over
    fits; ``ARM-before.npy``, the mean before training; ``ARM.png`` and ``ARM-before-after.png`` on the mean training
    image; ``arms.png`` shows all arms side by side, and ``truth.csv`` has the scores where the source knows its truth.

    Returns:
        Columns arm, fold, seed, ``auc_before`` and ``auc`` (of the cohort map), and ``auc_images`` (the mean over test
        images of each one's own map; equal for a mask); no rows where the source knows no truth.
    """
    folder = run.path / "maps"
    training = data.rows("train", int(data.splits["fold"].min()))
    shown = mean_image(data.pixels, training)
    truth = data.cohort.truth(*data.pixels.shape[2:]) if data.cohort.truth else None
    scores, means, of_their_own = [], {}, list[str]()
    for arm in dict.fromkeys(fit.arm for fit in planned):
        fits = [fit for fit in planned if fit.arm == arm and (run.fit(fit) / MAP).is_file()]
        if not fits:
            continue
        before = [np.load(run.fit(fit) / BEFORE, allow_pickle=False) for fit in fits]
        after = [np.load(run.fit(fit) / MAP, allow_pickle=False) for fit in fits]
        (mean, sd), (mean_before, _) = mean_and_sd(after), mean_and_sd(before)
        means[arm] = mean
        for name, array in ((arm, mean), (f"{arm}-sd", sd), (f"{arm}-before", mean_before)):
            atomic.write_array(folder / f"{name}.npy", array.astype(np.float32))
        relative = is_relative(path.stem for path in (run.fit(fits[0]) / PLACES).glob("*.npy"))
        if relative:
            of_their_own.append(arm)
        map_picture(folder / f"{arm}.png", mean, shown, title=arm, truth=truth, relative=relative)
        path = folder / f"{arm}-before-after.png"
        before_after_picture(path, mean_before, mean, shown, title=arm, truth=truth, relative=relative)
        if truth is not None:
            for fit, start, end in zip(fits, before, after, strict=True):
                of_cohort = truth_auc(end, truth)
                of_images = _mean_score(run.fit(fit) / TRUTH_SCORES, otherwise=of_cohort)
                scores.append((arm, fit.fold, fit.seed, truth_auc(start, truth), of_cohort, of_images))
    table = pd.DataFrame(scores, columns=TRUTH_COLUMNS)
    if truth is not None:
        atomic.write_csv(folder / "truth.csv", table)
    if means:
        auc = table.groupby("arm")["auc"].mean()
        captions = {arm: f"{arm}   AUC {auc[arm]:.3f}" for arm in means if arm in auc}
        arms_picture(
            folder / "arms.png",
            means,
            shown,
            truth=truth,
            captions=captions or None,
            relative=of_their_own,
        )
    return table


def _mean_score(path: Path, *, otherwise: float) -> float:
    """Returns the mean over images of how well their own maps find the truth; a shared map leaves no such table."""
    return float(pd.read_csv(path)["auc"].mean()) if path.is_file() else otherwise
