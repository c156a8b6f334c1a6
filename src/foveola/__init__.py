"""Spatial attention for medical images: train with and without it, compare, and see where the network looks."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from foveola.errors import FoveolaError
from foveola.plugins import load_plugin

if TYPE_CHECKING:
    from foveola.attention import FixedMask, GlobalAttention, WithMaps, attach, record_attention

__version__ = version("foveola")

__all__ = [
    "FixedMask",
    "FoveolaError",
    "GlobalAttention",
    "WithMaps",
    "__version__",
    "attach",
    "load_plugin",
    "record_attention",
]


def __getattr__(name: str) -> Any:
    """Imports what needs PyTorch when it is first used, so that ``foveola --help`` answers at once."""
    if name in __all__:
        return getattr(import_module("foveola.attention"), name)
    raise AttributeError(f"module 'foveola' has no attribute '{name}'")
