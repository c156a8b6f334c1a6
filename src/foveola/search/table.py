"""What the trials of a search came to, as a table."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from foveola.foundation.errors import FoveolaError
from foveola.protocol.planning.chosen_settings import best_trial
from foveola.protocol.settings.search_space import Space
from foveola.search.trial_outcome import COMPLETE, TrialOutcome
from foveola.training.settings import Criterion


def trials_table(outcomes: Mapping[int, TrialOutcome], space: Space) -> pd.DataFrame:
    """Returns one row a finished trial, in their order.

    Its columns are ``number``, ``state``, one a setting, ``score`` (the mean over fits), ``score_0``, ``epoch_0`` and
    so on (of each fit), ``seconds`` and ``reason``.
    """
    fits = max((len(outcome.epochs) for outcome in outcomes.values()), default=0)
    rows = []
    for number, outcome in sorted(outcomes.items()):
        row = {"number": number, "state": outcome.state, **{key: outcome.settings[key] for key in space}}
        row["score"] = outcome.score
        for fit in range(fits):
            row[f"score_{fit}"] = outcome.scores[fit] if fit < len(outcome.scores) else None
            row[f"epoch_{fit}"] = outcome.epochs[fit] if fit < len(outcome.epochs) else None
        rows.append({**row, "seconds": outcome.seconds, "reason": outcome.reason})
    table = pd.DataFrame(rows)
    whole = {name: "Int64" for name in table if str(name).startswith("epoch_")}
    scores = {name: "float64" for name in table if str(name).startswith("score")}
    return table.astype({**whole, **scores})


def best_of(outcomes: Mapping[int, TrialOutcome], criterion: Criterion, where: str) -> int:
    """Returns the number of the trial with the best score; of equal ones the first.

    Raises:
        FoveolaError: If no trial came to its end.
    """
    complete = {number: outcome for number, outcome in sorted(outcomes.items()) if outcome.state == COMPLETE}
    if not complete:
        first = next(iter(outcomes.values()), None)
        got = f"{first.state}: {first.reason or 'no score that is a number'}" if first else "none that is finished"
        raise FoveolaError("a trial that comes to its end", got, where, "search other settings, such as a smaller lr")
    return list(complete)[best_trial([outcome.scores for outcome in complete.values()], criterion)]
