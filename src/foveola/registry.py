"""Named members of an open family: sources, arms, backbones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from foveola.errors import FoveolaError, unknown_name

Member = TypeVar("Member")


class Registry(Mapping[str, Member], Generic[Member]):
    """Maps names to the members of one family.

    Args:
        kind: What one member is called, such as ``"arm"``; used in error messages.
        option: The command-line option by which a member is chosen; used in error messages.
        hint: What else an error message says of a name that is not known.

    Example:
        >>> shapes = Registry[str]("shape", "--shape")
        >>> shapes.add("disc", "round")
        'round'
        >>> shapes["disc"], list(shapes)
        ('round', ['disc'])
    """

    def __init__(self, kind: str, option: str, hint: str = "") -> None:
        self.kind, self.option, self.hint = kind, option, hint
        self._members: dict[str, Member] = {}

    def add(self, name: str, member: Member) -> Member:
        """Adds a member and returns it.

        Raises:
            ValueError: If the name is taken; two members under one name are a programming mistake.
        """
        if name in self._members:
            raise ValueError(f"{self.kind} '{name}' is registered twice")
        self._members[name] = member
        return member

    def __getitem__(self, name: str) -> Member:
        """Returns the member called ``name``.

        Raises:
            FoveolaError: If there is none; the message offers the nearest names.
        """
        try:
            return self._members[name]
        except KeyError:
            error = unknown_name(self.kind, name, self._members, self.option)
            raise FoveolaError(error.expected, error.got, error.where, error.remedy + self.hint) from None

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
