"""What a search remembers in Optuna's journal: every trial, and with TPE what to try next and what to give up."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foveola.foundation.extras import needed
from foveola.protocol.settings.search_space import Grid, Range, Space, grid_point, is_grid
from foveola.search.trial_outcome import COMPLETE, TrialOutcome

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

JOURNAL = "study.journal"
NAME = "foveola"
NUMBER = "number"
"""The attribute of Optuna's trials that holds ours: where two workers ask at once, its own numbers differ."""
STARTUP_TRIALS = 5
"""So many trials run to their end before one is given up."""

log = logging.getLogger(__name__)


def check_optuna() -> None:
    """Raises a ``FoveolaError`` if Optuna is not installed."""
    needed("optuna", "search")


class Pruned(Exception):  # noqa: N818 - no error: the trial has shown enough
    """A trial does worse than others did by this epoch.

    Args:
        epoch: Which one.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__(f"given up after epoch {epoch}")
        self.epoch = epoch


@dataclass(frozen=True)
class TrialMemory:
    """The journal of one search.

    A grid is written down point by point as it is finished, and nothing of it is given up. Else the tree-structured
    Parzen estimator (TPE) says what to try: it sees what is finished, and that the trials of other workers run; the
    settings as they stand come first. A trial that after a fifth of its epochs is worse at its best than the median of
    the earlier ones was at that epoch is given up.

    Attributes:
        folder: Of the study.
        space: What is searched.
        start: The settings as they stand.
        seed: Of what TPE draws.
        epochs: Of a fit.
        smaller_is_better: Whether the score is a loss.
    """

    folder: Path
    space: Space
    start: dict[str, Any]
    seed: int
    epochs: int
    smaller_is_better: bool

    def begin(self) -> None:
        """Makes the journal if there is none."""
        study = self._study(0)
        inside = {key: _stored(value) for key, value in self.start.items() if _is_inside(value, self.space[key])}
        if not is_grid(self.space) and inside:
            study.enqueue_trial(inside, skip_if_exists=True)

    def ask(self, number: int) -> Asked:
        """Returns what a trial is to try; one that was begun before goes on with what it was given then."""
        if is_grid(self.space):
            return Asked(grid_point(self.space, number))
        from optuna import Trial

        study = self._study(number)
        before = _numbered(study).get(number)
        trial = study.ask() if before is None else Trial(study, before._trial_id)
        settings = {key: _suggested(trial, key, values) for key, values in self.space.items()}
        trial.set_user_attr(NUMBER, number)  # last: what has a number has its settings
        return Asked(settings, trial, frozenset(before.intermediate_values if before else ()))

    def tell(self, outcomes: Mapping[int, TrialOutcome]) -> None:
        """Writes down what trials came to, each once, however often it is told."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        study = self._study(0)
        known = _numbered(study)
        for number, outcome in outcomes.items():
            if (before := known.get(number)) is None:
                study.add_trial(self._finished(number, outcome))
            elif not before.state.is_finished():
                state = None if outcome.state == COMPLETE else TrialState.PRUNED
                try:
                    study.tell(before.number, outcome.score, state)
                except UpdateFinishedTrialError:
                    log.info("another worker told what trial %d came to", number)

    def _finished(self, number: int, outcome: TrialOutcome) -> FrozenTrial:
        from optuna.trial import TrialState, create_trial

        return create_trial(
            state=TrialState.COMPLETE if outcome.state == COMPLETE else TrialState.PRUNED,
            value=outcome.score,
            params={key: _stored(value) for key, value in outcome.settings.items()},
            distributions={key: _distribution(values) for key, values in self.space.items()},
            user_attrs={NUMBER: number},
        )

    def _study(self, number: int) -> Study:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path = str(self.folder / JOURNAL)
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path))),
            sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
            pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, n_warmup_steps=max(1, self.epochs // 5)),
            study_name=NAME,
            direction="minimize" if self.smaller_is_better else "maximize",
            load_if_exists=True,
        )


@dataclass(frozen=True)
class Asked:
    """A trial that is to be made.

    Attributes:
        settings: What it tries, by dotted key.
        trial: Optuna's, with TPE.
        reported: The epochs that were told before the trial was stopped and gone on with.
    """

    settings: dict[str, Any]
    trial: Trial | None = None
    reported: frozenset[int] = frozenset()

    def report(self, epoch: int, value: float) -> None:
        """Tells what an epoch came to.

        Raises:
            Pruned: If the trial is not worth its time any more.
        """
        if self.trial is None:
            return
        if epoch not in self.reported:
            self.trial.report(value, epoch)
        if self.trial.should_prune():
            raise Pruned(epoch)


def _numbered(study: Study) -> dict[int, FrozenTrial]:
    """Returns Optuna's trials by our numbers."""
    trials = study.get_trials(deepcopy=False)
    return {trial.user_attrs[NUMBER]: trial for trial in trials if NUMBER in trial.user_attrs}


def _stored(value: Any) -> Any:
    """Returns a value as the journal can keep it."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)


def _is_inside(value: Any, values: Grid | Range) -> bool:
    if isinstance(values, Grid):
        return value in values.values
    return value is not None and values.low <= value <= values.high


def _suggested(trial: Trial, key: str, values: Grid | Range) -> Any:
    if isinstance(values, Grid):
        stored = [_stored(value) for value in values.values]
        return values.values[stored.index(trial.suggest_categorical(key, stored))]
    if values.is_whole:
        return trial.suggest_int(key, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(key, values.low, values.high, log=values.log)


def _distribution(values: Grid | Range) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Grid):
        return CategoricalDistribution([_stored(value) for value in values.values])
    if values.is_whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)
