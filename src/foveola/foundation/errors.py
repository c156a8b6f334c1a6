"""The one error that a user can cause, worded so that it can be acted on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FoveolaError(Exception):
    """What the user gave cannot be used.

    The message is one sentence: expected what, got what, where, what to do. The command line prints it without a
    traceback and exits with code 2.

    Args:
        expected: What would have been right, such as ``"an 8-bit grey or RGB image"``.
        got: What was there instead.
        where: The file, option or key that holds it.
        remedy: What to do about it, as an imperative.

    Example:
        >>> print(FoveolaError("a positive number", "-3", "--epochs", "give at least 1"))
        expected a positive number, got -3, in --epochs; give at least 1
    """

    def __init__(self, expected: str, got: str, where: str, remedy: str) -> None:
        self.expected, self.got, self.where, self.remedy = expected, got, where, remedy
        super().__init__(f"expected {expected}, got {got}, in {where}; {remedy}")

    def __reduce__(self) -> tuple[type[FoveolaError], tuple[str, str, str, str]]:
        return type(self), (self.expected, self.got, self.where, self.remedy)


class InputError(FoveolaError, ValueError):
    """What a caller handed over in memory cannot be used; it is the ``ValueError`` too that scikit-learn looks for.

    Example:
        >>> isinstance(InputError("two classes", "1 class", "y", "add images of another class"), ValueError)
        True
    """


def unknown_name(kind: str, name: str, known: Iterable[str], where: str) -> FoveolaError:
    """Builds the error for a name that nothing is known by, offering the nearest known ones.

    Example:
        >>> print(unknown_name("arm", "globl", ["plain", "global"], "--arm"))
        expected a known arm, got 'globl', in --arm; did you mean 'global'?
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.55)
    if near:
        remedy = "did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    elif len(names) <= 20:
        remedy = "choose one of " + ", ".join(names)
    else:
        remedy = f"see `foveola list {kind}s` for the {len(names)} that there are"
    return FoveolaError(f"a known {kind}", f"'{name}'", where, remedy)
