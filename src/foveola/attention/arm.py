"""Arms: what a comparison compares. An arm is a backbone with or without attention, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from foveola.attention.mask import InputMask
from foveola.errors import FoveolaError, unknown_name
from foveola.pixels.representation import Batches
from foveola.registry import Registry
from foveola.settings import Settings


class ArmSettings(Settings):
    """What every arm with attention can be told.

    Attributes:
        lr: Learning rate of the attention's own parameters; that of the backbone where it is ``None``.
        weight_decay: Their weight decay; that of the backbone where it is ``None``.
        freezes: Whether the map is fixed at the cut-off epoch.
    """

    lr: float | None = Field(None, gt=0)
    weight_decay: float | None = Field(None, ge=0)
    freezes: bool = True


@dataclass(frozen=True)
class Arm:
    """One contestant.

    Attributes:
        name: What a user types after ``--arm``.
        summary: One line on what it is.
        settings: The class of its settings; their defaults are the arm's.
        build: Makes the mask from the training images and the settings; ``None`` for no attention.
    """

    name: str
    summary: str
    settings: type[ArmSettings]
    build: Callable[[Batches, Any], InputMask] | None

    def configure(self, values: dict[str, Any]) -> ArmSettings:
        """Returns the settings with ``values`` in place of defaults.

        Raises:
            FoveolaError: For an unknown key or a value of the wrong kind.
        """
        for key in values:
            if key not in self.settings.model_fields:
                raise unknown_name("setting", key, self.settings.model_fields, f"the settings of arm '{self.name}'")
        try:
            return self.settings(**values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise FoveolaError(first["msg"].lower(), repr(first["input"]), f"{self.name}.{key}", "change it") from error


ARMS: Registry[Arm] = Registry("arm", "--arm")
