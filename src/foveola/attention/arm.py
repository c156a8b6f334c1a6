"""Arms: what a comparison compares. An arm is a backbone with or without attention, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from pydantic import Field, field_validator
from torch import Tensor, nn

from foveola.attention.hosts.placement import insert
from foveola.attention.input_mask import InputMask
from foveola.foundation.registry import Registry
from foveola.foundation.settings import Settings, validated
from foveola.pixels.representation import Batches

Row = Literal["none", "shared", "pointwise", "channels", "pooling", "self-attention", "sum"]
"""The rows of the table of operators: what the matrix A of an arm is."""


class ArmSettings(Settings):
    """What every arm can be told.

    Attributes:
        lr: Learning rate of the attention's own parameters; that of the backbone where it is ``None``.
        weight_decay: Their weight decay; that of the backbone where it is ``None``.
        contrastive: The coefficient of the supervised contrastive term in the loss; 0 for none.
        temperature: Of that term.
    """

    lr: float | None = Field(None, gt=0)
    weight_decay: float | None = Field(None, ge=0)
    contrastive: float = Field(0.0, ge=0)
    temperature: float = Field(0.1, gt=0)

    def backbone_size(self, size: int) -> int:
        """Returns the side of the images that the backbone gets where those of the comparison have this side."""
        return size

    def chosen_backbone(self, backbone: Any) -> Any:
        """Returns the settings of the backbone that the arm has where those of the comparison are these."""
        return backbone


class MaskSettings(ArmSettings):
    """What every arm with a mask at the input can be told.

    Attributes:
        freezes: Whether the map is fixed at the cut-off epoch.
    """

    freezes: bool = True


class LayerSettings(ArmSettings):
    """What every arm with attention inside the backbone can be told.

    Attributes:
        at: Where attention goes: ``blocks``, after the last norm of every residual block and before the shortcut;
            ``stages``, after every stage; ``auto``, blocks where the backbone has residual blocks that take attention
            and stages elsewhere; or the names of modules, separated by commas, after which it goes. Where every pixel
            gets a class: ``bottleneck``, the deepest features; ``stages``, the features of every stage of the decoder,
            joined with those of the encoder; ``skips``, those of the encoder on their way; ``auto``, the bottleneck
            and at most three stages, none at a stride below 4; or any of these and names, separated by commas.
    """

    at: str = "auto"

    def place_in(self, backbone: nn.Module) -> str:
        """Returns what ``at`` means for this backbone: itself, unless the mechanism belongs elsewhere by itself."""
        return self.at


class SolvedSettings(ArmSettings):
    """What every arm whose parameters are found without gradient training can be told.

    The settings of gradient training are refused, because they would change nothing.
    """

    @field_validator(*ArmSettings.model_fields)
    @classmethod
    def _refuse(cls, value: Any, info: Any) -> Any:
        default = ArmSettings.model_fields[info.field_name].default
        if value != default:
            raise ValueError(f"{default}, because nothing is trained by gradients")
        return value


@dataclass(frozen=True)
class Arm:
    """One contestant. At most one of ``mask``, ``layer`` and ``network`` says what attention does.

    A classical baseline has no attention; its network gets its parameters from ``solve``. A human observer has no
    network at all.

    Attributes:
        name: What a user types after ``--arm``.
        summary: One line on what it is.
        settings: The class of its settings; their defaults are the arm's.
        operator: What its matrix A is.
        mask: Makes the mask in front of the network from the training images and the settings.
        layer: Makes the attention for features of so many channels and such a height and width; it is put into the
            backbone where the settings, a `LayerSettings`, say.
        network: Makes another network of the backbone; also given one image ``1 x C x H x W`` to find sizes with.
        backbone: The backbone that it comes with, whatever the comparison's is.
        solve: Finds the parameters without gradient training. It gets the network as built, in evaluation mode and on
            the CPU; the training images as it sees them; their labels, numbered from 0; the group of each, ``""`` for
            one of its own; the settings; and a seed. It returns the network, ready to predict.
        human: Whether it is a person, whose masks are taken for predictions; the settings say which one.

    Raises:
        ValueError: If that is more than one, an arm with a mask or a layer is solved, the operator is none of the
            table, or a layer cannot be told where to go.
    """

    name: str
    summary: str
    settings: type[ArmSettings]
    operator: Row
    mask: Callable[[Batches, Any], InputMask] | None = None
    layer: Callable[[int, tuple[int, int], Any], nn.Module] | None = None
    network: Callable[[nn.Module, Tensor, Any], nn.Module] | None = None
    backbone: str | None = None
    solve: Callable[[nn.Module, Batches, np.ndarray, np.ndarray, Any, int], nn.Module] | None = None
    human: bool = False

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.mask, self.layer, self.network)) > 1:
            raise ValueError(f"arm '{self.name}' has more than one of mask, layer and network")
        if self.solve is not None and (self.mask is not None or self.layer is not None):
            raise ValueError(f"arm '{self.name}' has attention, which learns by gradients, and is solved without them")
        if self.operator not in get_args(Row):
            raise ValueError(f"the operator of arm '{self.name}' is '{self.operator}', none of {get_args(Row)}")
        if self.layer is not None and not issubclass(self.settings, LayerSettings):
            raise ValueError(f"the settings of arm '{self.name}', which has a layer, are no LayerSettings")

    @property
    def attends(self) -> bool:
        """Whether it has a mask, a layer or a network with attention, or the control of one."""
        return self.trains and any(part is not None for part in (self.mask, self.layer, self.network))

    @property
    def segments(self) -> bool:
        """Whether its network can give every pixel a class: that of an arm with one of its own cannot."""
        return self.network is None and self.backbone is None and self.solve is None and not self.human

    @property
    def trains(self) -> bool:
        """Whether its parameters are learned by gradients, epoch by epoch."""
        return self.solve is None and not self.human

    def configure(self, values: dict[str, Any]) -> ArmSettings:
        """Returns the settings with ``values`` in place of defaults.

        Raises:
            FoveolaError: For an unknown key or a value of the wrong kind.
        """
        return validated(self.settings, values, f"the settings of arm '{self.name}'")

    def adapt(self, backbone: nn.Module, image: Tensor, settings: Any) -> nn.Module:
        """Returns the backbone with the arm's attention inside; it may be changed in place.

        Args:
            backbone: With its pretrained weights, if any.
            image: ``1 x C x H x W``, of the size to come.
            settings: The arm's own.

        Raises:
            FoveolaError: If attention cannot go where the settings say, or the images are too small for it.
        """
        if self.layer is not None:
            layer = self.layer
            place = settings.place_in(backbone)
            insert(backbone, lambda channels, size: layer(channels, size, settings), image, at=place)
        return backbone if self.network is None else self.network(backbone, image, settings)


class _Arms(Registry[Arm]):
    """The arms by name; ``NAME@LABEL`` is the arm NAME again, which has settings of its own in a comparison.

    Example:
        >>> from foveola.attention import ARMS
        >>> ARMS["plain@again"].name, "plain@again" in ARMS, "none@again" in ARMS
        ('plain@again', True, False)
    """

    def __getitem__(self, name: str) -> Arm:
        base, _, label = name.partition("@")
        return replace(super().__getitem__(base), name=name) if label else super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        base, at, label = str(name).partition("@")
        return super().__contains__(base) and (bool(label) or not at)


ARMS = _Arms("arm", "--arm", hint=" (an arm of your own needs foveola --plugin FILE)")
