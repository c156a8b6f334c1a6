"""The maps of a comparison: mean and sd over fits, pictures, and scores against a known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from foveola import atomic
from foveola.maps.average import mean_and_sd, mean_image
from foveola.maps.draw import arms_picture, before_after_picture, map_picture
from foveola.maps.score import truth_auc
from foveola.protocol.fit import FitData
from foveola.protocol.plan import PlannedFit
from foveola.protocol.run_folder import RunFolder


def save_maps(run: RunFolder, planned: list[PlannedFit], data: FitData) -> pd.DataFrame:
    """Writes ``maps/`` and returns how well each fit's map finds the truth region.

    For every arm with a map: ``ARM.npy`` and ``ARM-sd.npy``, the mean and the sd over fits; ``ARM-before.npy``, the
    mean before training; ``ARM.png`` and ``ARM-before-after.png`` on the mean training image; ``arms.png`` shows all
    arms side by side, and ``truth.csv`` has the scores where the source knows its truth.

    Returns:
        Columns arm, fold, seed, ``auc_before`` and ``auc``; no rows where the source knows no truth.
    """
    folder = run.path / "maps"
    training = data.rows("train", int(data.splits["fold"].min()))
    shown = mean_image(data.pixels, training)
    truth = data.cohort.truth(*data.pixels.shape[2:]) if data.cohort.truth else None
    scores, means = [], {}
    for arm in dict.fromkeys(fit.arm for fit in planned):
        fits = [fit for fit in planned if fit.arm == arm and (run.fit(fit) / "map.npy").is_file()]
        if not fits:
            continue
        before = [np.load(run.fit(fit) / "map-before.npy", allow_pickle=False) for fit in fits]
        after = [np.load(run.fit(fit) / "map.npy", allow_pickle=False) for fit in fits]
        (mean, sd), (mean_before, _) = mean_and_sd(after), mean_and_sd(before)
        means[arm] = mean
        for name, array in ((arm, mean), (f"{arm}-sd", sd), (f"{arm}-before", mean_before)):
            atomic.write_array(folder / f"{name}.npy", array.astype(np.float32))
        map_picture(folder / f"{arm}.png", mean, shown, title=arm, truth=truth)
        before_after_picture(folder / f"{arm}-before-after.png", mean_before, mean, shown, title=arm, truth=truth)
        if truth is not None:
            pairs = zip(fits, before, after, strict=True)
            scores += [(arm, f.fold, f.seed, truth_auc(start, truth), truth_auc(end, truth)) for f, start, end in pairs]
    table = pd.DataFrame(scores, columns=["arm", "fold", "seed", "auc_before", "auc"])
    if truth is not None:
        atomic.write_csv(folder / "truth.csv", table)
    if means:
        auc = table.groupby("arm")["auc"].mean()
        captions = {arm: f"{arm}   AUC {auc[arm]:.3f}" for arm in means if arm in auc}
        arms_picture(folder / "arms.png", means, shown, truth=truth, captions=captions or None)
    return table
