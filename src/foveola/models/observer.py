"""The human observer: how well a second person agrees with the reference, beside the arms that are trained."""

from __future__ import annotations

from collections.abc import Sequence

from foveola.attention import ARMS, Arm
from foveola.attention.arm import SolvedSettings
from foveola.foundation.errors import FoveolaError


class HumanSettings(SolvedSettings):
    """Settings of the arm ``human``.

    Attributes:
        observer: Whose masks are scored against those of the first observer: a name, or a number counted from 1.
    """

    observer: int | str = 2

    def place(self, observers: Sequence[str], where: str) -> int:
        """Returns the place of the observer among all, counted from 0.

        Args:
            observers: Their names; the first is the reference.
            where: What the error message calls the data.

        Raises:
            FoveolaError: If there is no such observer, or it is the reference itself.

        Example:
            >>> HumanSettings().place(("anna", "bert"), "the masks"), HumanSettings(observer="bert").observer
            (1, 'bert')
        """
        number = observers.index(self.observer) if self.observer in observers else None
        if isinstance(self.observer, int) and self.observer <= len(observers):
            number = self.observer - 1
        if number is None or number < 1:
            raise FoveolaError(
                f"an observer beside the reference '{observers[0]}'",
                f"'{self.observer}' of {len(observers)} ({', '.join(observers)})",
                where,
                "leave out the arm human, or name another with --set human.observer=NAME",
            )
        return number


ARMS.add(Arm("human", "a second observer's masks, where images have some", HumanSettings, "none", human=True))
