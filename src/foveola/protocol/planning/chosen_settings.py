"""The choice of settings: by scores on validation images, never on those that are tested on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from foveola.execution import DONE
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.protocol.planning.plan import PlannedFit
from foveola.protocol.settings.configuration import RunConfiguration
from foveola.protocol.settings.search_space import candidates
from foveola.training.settings import Criterion

CHOSEN = "chosen.json"


def settings_of(planned: PlannedFit, configuration: RunConfiguration, folder: Path) -> RunConfiguration:
    """Returns the configuration that a fit is made with: that of its trial, or what the trials it needs have chosen.

    What was chosen is written to ``chosen.json``, with the score of every trial.

    Args:
        planned: The fit; those that it needs are done.
        configuration: Of the run.
        folder: Of the fit; those of the fits that it needs lie below the same ``fits/``.
    """
    if planned.trial is not None:
        return configuration.changed(candidates(configuration, planned.arm)[planned.trial])
    tried = candidates(configuration, planned.arm)
    if not planned.needs or not tried:
        return configuration
    done = [json.loads((folder.parents[1] / name / DONE).read_text(encoding="utf-8")) for name in planned.needs]
    folds = len(done) // len(tried)
    scores = [[trial["score"] for trial in done[start : start + folds]] for start in range(0, len(done), folds)]
    best = best_trial(scores, configuration.training.criterion)
    trials = [{"settings": values, "scores": own} for values, own in zip(tried, scores, strict=True)]
    atomic.write_json(folder / CHOSEN, {"trial": best, "settings": tried[best], "trials": trials})
    return configuration.changed(tried[best])


def best_trial(scores: Sequence[Sequence[float | None]], criterion: Criterion) -> int:
    """Returns the number of the trial with the best mean score; of equal ones the first.

    A trial with a score that is not defined, as of a training that diverged, is behind every other.

    Raises:
        FoveolaError: If no trial has a score.

    Args:
        scores: Of each trial, one a fold.
        criterion: Of a loss the smallest is best, of anything else the largest.

    Example:
        >>> best_trial([[0.5, 0.7], [0.9, None], [0.7, 0.7]], "macro_auc")
        2
    """
    sign = -1.0 if criterion == "loss" else 1.0
    means = [
        math.nan if None in own else sign * float(np.mean([value for value in own if value is not None]))
        for own in scores
    ]
    if not any(map(math.isfinite, means)):
        raise FoveolaError(
            "a trial with a finite score", f"none in {len(scores)}", "the search space", "give smaller learning rates"
        )
    return int(np.argmax([value if math.isfinite(value) else -math.inf for value in means]))


def score_of(folder: Path, epoch: int, criterion: Criterion) -> float | None:
    """Returns what a fit came to on its validation images in an epoch; ``None`` where that is not defined."""
    history = pd.read_csv(folder / "history.csv").set_index("epoch")
    value = float(history[f"val_{criterion}"].get(epoch, math.nan))
    return value if math.isfinite(value) else None
