"""Packages that only some uses need, and the extras that bring them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from foveola.foundation.errors import FoveolaError


def needed(module: str, extra: str) -> Any:
    """Returns a module of a package that one of Foveola's extras installs.

    Raises:
        FoveolaError: If it is not installed; the message names the extra.

    Example:
        >>> needed("no_such_package", "segmentation")
        Traceback (most recent call last):
        foveola.foundation.errors.FoveolaError: expected the package no_such_package, got none installed, in this
        Python; run `pip install "foveola[segmentation]"`
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:  # it is there, and lacks something itself
            raise
        raise FoveolaError(
            f"the package {package}", "none installed", "this Python", f'run `pip install "foveola[{extra}]"`'
        ) from error
