"""Arms: what a comparison compares. An arm is a backbone with or without attention, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from foveola.attention.mask import InputMask
from foveola.pixels.representation import Batches
from foveola.registry import Registry
from foveola.settings import Settings, validated


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
        return validated(self.settings, values, f"the settings of arm '{self.name}'")


ARMS: Registry[Arm] = Registry("arm", "--arm")
