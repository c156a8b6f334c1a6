"""What a backbone is made for and made of, and the backbones that are our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pydantic import Field
from torch import nn

from foveola.registry import Registry
from foveola.settings import Settings


class ImageShape(Settings):
    """What a network is to take and to tell apart.

    Attributes:
        channels: 1 or 3.
        size: Side in pixels.
        classes: Number of logits.
    """

    channels: int = Field(ge=1)
    size: int = Field(ge=1)
    classes: int = Field(ge=2)


class Design(NamedTuple):
    """An untrained network.

    Attributes:
        network: It takes images and returns logits.
        head: Names of the modules that classify.
        first: Names of its first convolutions.
    """

    network: nn.Module
    head: tuple[str, ...]
    first: tuple[str, ...]


OWN_BACKBONES: Registry[Callable[[ImageShape], Design]] = Registry("backbone", "--backbone")
"""What builds each backbone that neither timm nor torchvision has."""
