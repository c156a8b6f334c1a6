"""How types and shapes are checked in the test run: in the whole package; an int is a float, as in PEP 484."""

from __future__ import annotations

from typing import Any

from beartype import BeartypeConf, beartype

CONFIGURATION = BeartypeConf(is_pep484_tower=True)
LEFT_ALONE = {"AttentionClassifier.__init__"}
"""As scikit-learn wants it, a constructor takes anything, and ``fit`` refuses it."""


def checked(checked_object: Any) -> Any:
    """Checks the types of a function or class whenever it is called."""
    if any(checked_object.__qualname__.startswith(name) for name in LEFT_ALONE):
        return checked_object
    return beartype(conf=CONFIGURATION)(checked_object)
