"""Packages that only some uses need."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveola.foundation.errors import FoveolaError
from foveola.foundation.extras import needed


def test_a_module_that_is_there_is_returned() -> None:
    assert needed("json", "segmentation").dumps([1]) == "[1]"


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.inferers"])
def test_a_missing_package_names_its_extra(module: str) -> None:
    message = r"the package no_such_package, got none installed.*foveola\[segmentation\]"
    with pytest.raises(FoveolaError, match=message):
        needed(module, "segmentation")


def test_what_a_package_itself_lacks_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("import a_module_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_nobody_has"):
        needed("broken_package", "segmentation")
