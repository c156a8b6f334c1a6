"""Spatial attention for medical images: train with and without it, compare, and see where the network looks."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from foveola.foundation.errors import FoveolaError
from foveola.foundation.plugins import load_plugin

if TYPE_CHECKING:
    from foveola.attention import FixedMask, GlobalAttention, WithMaps, attach, record_attention
    from foveola.estimator import AttentionClassifier

__version__ = version("foveola")

__all__ = [
    "AttentionClassifier",
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
        home = "foveola.estimator" if name == "AttentionClassifier" else "foveola.attention"
        return getattr(import_module(home), name)
    raise AttributeError(f"module 'foveola' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Names what is public, for TAB to complete, without importing it."""
    return sorted(__all__)
