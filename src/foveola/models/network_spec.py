"""Specification of a network: the images it is for, the settings that choose it, and networks of our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, field_validator
from torch import nn

from foveola.foundation.registry import Registry
from foveola.foundation.settings import Settings


class ImageShape(Settings):
    """What a network is to take and to tell apart.

    Attributes:
        channels: 1 or 3.
        size: Side in pixels; where every pixel gets a class, that of what the network is trained on, which may be a
            part of an image.
        classes: Number of logits.
        per_pixel: Whether every pixel gets a class, and not the whole image.
    """

    channels: int = Field(ge=1)
    size: int = Field(ge=1)
    classes: int = Field(ge=2)
    per_pixel: bool = False


class BackboneSettings(Settings):
    """Which CNN, and where its weights come from.

    Attributes:
        name: A name that `backbone_names` lists. Where every pixel gets a class: one of `OWN_SEGMENTERS`, or
            ``DECODER/ENCODER`` such as ``unet/resnet34``; the name of an encoder alone stands for ``unet/NAME``.
        pretrained: Whether to start from the library's pretrained weights, of the encoder where there is one.
        weights: A file of weights to start from instead.
        stem: ``small`` for no loss of resolution before the first block, ``standard`` as published, ``auto`` for small
            up to 64 px. Encoders have the standard one.
        growth: Channels that a layer of ``denseunet`` adds; 48, as published, where it is ``None``.
        blocks: Layers of each of its four dense blocks; (6, 12, 36, 24), as published, where it is ``None``.
        width: Channels of the first level of ``small-unet``; 16 where it is ``None``.
    """

    name: str = "resnet18"
    pretrained: bool = True
    weights: Path | None = None
    stem: Literal["auto", "standard", "small"] = "auto"
    growth: int | None = Field(None, ge=1)
    blocks: tuple[int, int, int, int] | None = None
    width: int | None = Field(None, ge=1)

    @property
    def starts_trained(self) -> bool:
        """Whether the network, or its encoder, starts from weights that were trained before."""
        own = self.name in OWN_BACKBONES or self.name in OWN_SEGMENTERS
        return self.weights is not None or (self.pretrained and not own)

    @field_validator("blocks", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    @field_validator("blocks")
    @classmethod
    def _at_least_one_layer(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and min(value) < 1:
            raise ValueError("at least one layer in every block")
        return value

    @field_validator("growth", "blocks", "width")
    @classmethod
    def _of_one_alone(cls, value: Any, info: Any) -> Any:
        owner = "small-unet" if info.field_name == "width" else "denseunet"
        if value is not None and info.data.get("name") != owner:
            raise ValueError(f"no such setting for the backbone '{info.data.get('name')}', as {owner} alone has it")
        return value


class NetworkSpec(NamedTuple):
    """An untrained network, and which of its modules are special.

    Attributes:
        network: It takes images and returns logits.
        head: Names of the modules that classify.
        first: Names of its first convolutions.
    """

    network: nn.Module
    head: tuple[str, ...]
    first: tuple[str, ...]


class OwnNetwork(NamedTuple):
    """A network of our own, by name.

    Attributes:
        name: What a user types after ``--backbone``.
        build: Builds it for images of a shape, with the settings of the backbone.
    """

    name: str
    build: Callable[[ImageShape, BackboneSettings], NetworkSpec]


OWN_BACKBONES = Registry[OwnNetwork]("backbone", "--backbone")
"""Networks that classify images and that neither timm nor torchvision has."""

OWN_SEGMENTERS = Registry[OwnNetwork]("backbone", "--backbone")
"""Networks of our own that give every pixel a class."""

BASELINE_NETWORKS = Registry[OwnNetwork]("network of a baseline", "--arm")
"""Networks that belong to one classical baseline each, and are no backbones for another arm."""
