"""What a trial came to, as its folder keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from foveola.execution import DONE
from foveola.foundation import atomic

State = Literal["complete", "pruned", "diverged", "refused"]
COMPLETE: State = "complete"


@dataclass(frozen=True)
class TrialOutcome:
    """What a trial came to.

    Attributes:
        settings: What it tried, by dotted key.
        state: ``complete``; ``pruned``, given up because others were better by then; ``diverged``, without a score that
            is a number; or ``refused``, because these settings cannot be together.
        scores: What each of its fits came to on its validation images; ``None`` where there is no number.
        epochs: The epoch that each score is of; of a trial that was given up, the last one.
        seconds: What it took; its last part, if it was stopped between.
        reason: Why it was refused.
    """

    settings: dict[str, Any]
    state: State
    scores: tuple[float | None, ...] = ()
    epochs: tuple[int, ...] = ()
    seconds: float = 0.0
    reason: str = ""

    @property
    def score(self) -> float | None:
        """The mean over its fits, if all have one.

        Example:
            >>> TrialOutcome({}, "complete", (0.5, 0.7)).score, TrialOutcome({}, "diverged", (0.5, None)).score
            (0.6, None)
        """
        if self.state != COMPLETE:
            return None
        return float(np.mean([score for score in self.scores if score is not None]))

    def write(self, folder: Path) -> None:
        """Writes it into the folder of its trial, which is whole with that."""
        atomic.write_json(folder / DONE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> TrialOutcome | None:
        """Returns what the trial in a folder came to, if it is finished."""
        if not (folder / DONE).is_file():
            return None
        kept = json.loads((folder / DONE).read_text(encoding="utf-8"))
        return cls(**{**kept, "scores": tuple(kept["scores"]), "epochs": tuple(kept["epochs"])})
