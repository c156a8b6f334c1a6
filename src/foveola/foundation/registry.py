"""Named members of an open family: sources, arms, backbones."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Generic, Protocol, TypeVar, runtime_checkable

from foveola.foundation.errors import FoveolaError, unknown_name


@runtime_checkable
class Named(Protocol):
    """Anything that has a name."""

    @property
    def name(self) -> str:
        """The name, such as a user types it after an option."""


Member = TypeVar("Member", bound=Named)


class Registry(Mapping[str, Member], Generic[Member]):
    """Maps names to the members of one family.

    The file that defines a member adds it, as in ``ARMS.add(Arm("cbam", ...))``.

    Args:
        kind: What one member is called, such as ``"arm"``; used in error messages.
        option: The command-line option by which a member is chosen; used in error messages.
        hint: What else an error message says of a name that is not known.

    Example:
        >>> from typing import NamedTuple
        >>> class Shape(NamedTuple):
        ...     name: str
        ...     corners: int
        >>> shapes = Registry[Shape]("shape", "--shape")
        >>> shapes.add(Shape("square", corners=4))
        Shape(name='square', corners=4)
        >>> shapes["square"].corners, list(shapes)
        (4, ['square'])
    """

    def __init__(self, kind: str, option: str, hint: str = "") -> None:
        self.kind, self.option, self.hint = kind, option, hint
        self._members: dict[str, Member] = {}

    def add(self, member: Member) -> Member:
        """Adds a member under its name and returns it.

        Raises:
            ValueError: If the name is taken; two members under one name are a programming mistake.
        """
        if member.name in self._members:
            raise ValueError(f"{self.kind} '{member.name}' is registered twice")
        self._members[member.name] = member
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


def import_members(package: str) -> None:
    """Imports every module of a package, so that the members that they add are known without being listed.

    Args:
        package: The dotted name.
    """
    for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        import_module(module.name)
