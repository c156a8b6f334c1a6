"""Plug-ins: files outside the package that register an arm, a source or a backbone."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import sys
import traceback
from pathlib import Path
from types import ModuleType

from foveola.foundation.errors import FoveolaError

logger = logging.getLogger(__name__)

PLUGINS: dict[str, str] = {}
"""The files that were loaded, by name, and a digest of what they held."""
PREFIX = "foveola_plugin_"


def load_plugin(path: str | Path) -> ModuleType:
    """Imports a Python file, so that what it registers is known by name; returns the module.

    A file that was loaded before is not loaded again. What it defines can be pickled as long as it is loaded.

    Args:
        path: The file.

    Raises:
        FoveolaError: If there is no such file, or it raises something; the message has the line.

    Example:
        >>> load_plugin("contrast.py")
        Traceback (most recent call last):
        foveola.foundation.errors.FoveolaError: expected a Python file that registers an arm, got no such file, ...
    """
    path = Path(path)
    if not path.is_file() or path.suffix != ".py":
        got = "another file" if path.is_file() else "a folder" if path.is_dir() else "no such file"
        raise FoveolaError("a Python file that registers an arm", got, str(path), "check --plugin or FOVEOLA_PLUGINS")
    digest = hashlib.blake2b(str(path.resolve()).encode(), digest_size=8).hexdigest()
    name = f"{PREFIX}{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(name, path.resolve())
    assert specification is not None
    assert specification.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        where = f"{path}, line {_line(error, path.resolve())}"
        got = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
        raise FoveolaError("a plug-in that can be imported", got, where, "correct it there") from error
    PLUGINS[path.name] = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    logger.info("loaded %s", path)
    return module


def loaded_plugins() -> tuple[str, ...]:
    """Returns the paths of the files that were loaded, for another process to load them too."""
    modules = [module for name, module in sys.modules.items() if name.startswith(PREFIX)]
    return tuple(str(module.__file__) for module in modules)


def _line(error: Exception, path: Path) -> int | None:
    """Returns the last line of the file that the error went through, or where its syntax is wrong."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None
