"""A search as a job: every trial is a task in the folder of the study, and any worker can make it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from foveola.execution import DONE, JobTask, Progress
from foveola.foundation.errors import FoveolaError
from foveola.protocol import FitData, PlannedFit, RunConfiguration, RunJob, run_fit
from foveola.protocol.planning.chosen_settings import score_of
from foveola.protocol.run.fit import check_fit
from foveola.protocol.settings.search_space import Space, as_it_stands
from foveola.search.memory import Asked, Pruned, TrialMemory
from foveola.search.trial_outcome import COMPLETE, TrialOutcome
from foveola.training.train import CHECKPOINT
from foveola.training.untrained import check_device


@dataclass(frozen=True)
class TrialJob:
    """The trials of a search.

    Attributes:
        study: The folder of the study with its configuration, split and images, as that of a run. The configuration
            has one arm.
        space: What is searched.
        numbers: The trials.
        folds: The folds on whose validation images each trial is scored.
    """

    study: RunJob
    space: Space
    numbers: tuple[int, ...]
    folds: tuple[int, ...]

    @property
    def folder(self) -> Path:
        """The folder of the study."""
        return self.study.folder

    @property
    def tasks(self) -> tuple[JobTask, ...]:
        """One task a trial."""
        return tuple(JobTask(name_of(number)) for number in self.numbers)

    @property
    def arm(self) -> str:
        """The arm whose settings are searched."""
        return next(iter(self.study.configuration.arms))

    @cached_property
    def memory(self) -> TrialMemory:
        """What is remembered of the trials."""
        configuration = self.study.configuration
        return TrialMemory(
            self.folder,
            self.space,
            as_it_stands(self.space, configuration),
            seed=configuration.split_seed,
            epochs=configuration.training.epochs,
            smaller_is_better=configuration.training.criterion == "loss",
        )

    def run(self, name: str, progress: Progress) -> None:
        """Makes one trial, or what is left of it."""
        started, number, folder = time.perf_counter(), int(name.rpartition("/")[2]), self.folder / name
        check_device(self.study.configuration.training.device)
        data = self.study.data()
        asked = self.memory.ask(number)
        try:
            configuration = self.study.configuration.changed(asked.settings)
            check_fit(configuration, data)
        except FoveolaError as error:
            outcome = TrialOutcome(asked.settings, "refused", reason=str(error))
        else:
            outcome = self._made(asked, configuration, data, folder, progress)
        outcome = replace(outcome, seconds=round(time.perf_counter() - started, 3))
        outcome.write(folder)
        self.memory.tell({number: outcome})

    def outcomes(self) -> dict[int, TrialOutcome]:
        """Returns what the trials that are finished came to, by number."""
        read = {number: TrialOutcome.read(self.folder / name_of(number)) for number in self.numbers}
        return {number: outcome for number, outcome in read.items() if outcome is not None}

    def _made(
        self, asked: Asked, configuration: RunConfiguration, data: FitData, folder: Path, progress: Progress
    ) -> TrialOutcome:
        """Makes the fits of a trial, one a fold; only the first is compared with other trials while it trains."""
        criterion = configuration.training.criterion
        scores: list[float | None] = []
        epochs: list[int] = []

        def watch(epoch: int, row: dict[str, float]) -> None:
            asked.report(epoch, row[f"val_{criterion}"])

        for place, fold in enumerate(self.folds):
            own = folder / str(fold)

            def report(what: str, done: int, total: int, place: int = place) -> None:
                told = what if len(self.folds) == 1 else f"fit {place + 1}/{len(self.folds)}, {what}"
                progress(told, place * total + done, len(self.folds) * total)

            try:
                if not (own / DONE).is_file():
                    planned = PlannedFit(self.arm, fold, seed=0, tests=False)
                    run_fit(planned, configuration, data, own, report, None if place else watch)
            except Pruned as pruned:
                (own / CHECKPOINT).unlink(missing_ok=True)
                return TrialOutcome(asked.settings, "pruned", epochs=(pruned.epoch,))
            epochs.append(int(json.loads((own / DONE).read_text(encoding="utf-8"))["epoch"]))
            scores.append(score_of(own, epochs[-1], criterion))
        return TrialOutcome(asked.settings, "diverged" if None in scores else COMPLETE, tuple(scores), tuple(epochs))


def name_of(number: int) -> str:
    """Returns the name of the task of a trial.

    Example:
        >>> name_of(7)
        'trials/0007'
    """
    return f"trials/{number:04d}"
