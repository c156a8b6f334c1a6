"""What holds for the whole repository: its size, its names, its promises in files that are no code."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import foveola

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (".ci", "benchmarks", "docs", "src", "tests")
FILES = sorted(
    path
    for path in [*ROOT.iterdir(), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]
    if path.is_file() and "__pycache__" not in path.parts and path.name != ".git"
)
SOURCES = [path for path in FILES if path.suffix == ".py"]
FORBIDDEN = {
    "a home folder": r"(?<![\w.~}])/(home|Users|root)/\w",
    "the host of a package registry": r"\b(pypi|pythonhosted|anaconda|testpypi)\.(org|com)\b",
    "an index of packages": r"\bindex[-_]url\b",
    "work left undone": r"\b(TO[D]O|FIX[M]E|X[X]X)\b",
}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def citation() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return loaded


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(kind: type | tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """Yields every syntax node of a kind with its place."""
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_the_walk_sees_the_project() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in FILES}
    assert {"Makefile", ".ci/run", "src/foveola/foundation/errors.py", "tests/test_project.py"} <= names


def test_no_file_is_longer_than_350_lines() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES
    }
    assert {name: length for name, length in lengths.items() if length > 350} == {}


def test_no_function_is_longer_than_80_lines() -> None:
    functions = nodes((ast.FunctionDef, ast.AsyncFunctionDef))
    lengths = {f"{where} {function.name}": function.end_lineno - function.lineno + 1 for where, function in functions}
    assert {name: length for name, length in lengths.items() if length > 80} == {}


def test_the_formatter_is_never_overruled() -> None:
    overruled = re.compile(r"#\s*fmt:\s*(skip|off)|#\s*yapf:|#\s*ruff:\s*noqa: *(E|W)")
    assert [path for path in SOURCES if overruled.search(path.read_text(encoding="utf-8"))] == []


def test_a_package_is_taken_in_at_a_glance() -> None:
    folders = {path.parent for path in SOURCES if "src" in path.relative_to(ROOT).parts}
    counts = {
        folder.relative_to(ROOT).as_posix(): sum(path.is_file() for path in folder.iterdir()) for folder in folders
    }
    assert len(counts) > 20
    assert {name: count for name, count in counts.items() if count > 14} == {}


def test_no_package_bears_the_name_of_a_verb_of_the_public_face() -> None:
    verbs = {"audit", "compare", "evaluate", "explain", "export", "fit", "predict", "report", "test"}
    packages = {
        path.parent.name for path in SOURCES if path.name == "__init__.py" and path.parent.parent.name == "foveola"
    }
    assert packages & verbs == set()


def test_no_file_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc"}
    parts = {path: {part.split(".")[0] for part in path.relative_to(ROOT).parts} for path in SOURCES}
    assert [path for path, names in parts.items() if names & empty] == []


def test_no_exception_is_swallowed() -> None:
    bare = [where for where, handler in nodes(ast.ExceptHandler) if handler.type is None]
    silent = [
        where
        for where, handler in nodes(ast.ExceptHandler)
        if all(isinstance(step, ast.Pass) or ast.unparse(step) == "..." for step in handler.body)
    ]
    suppressed = [
        where
        for where, call in nodes(ast.Call)
        if ast.unparse(call.func).endswith("suppress")
        and {ast.unparse(argument) for argument in call.args} & {"Exception", "BaseException"}
    ]
    assert (bare, silent, suppressed) == ([], [], [])


def test_the_version_is_the_same_everywhere() -> None:
    assert project()["project"]["version"] == citation()["version"] == foveola.__version__
    assert f"## [{foveola.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_types_and_licence_come_with_the_package() -> None:
    assert (ROOT / "src" / "foveola" / "py.typed").is_file()
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert project()["project"]["license"] == citation()["license"] == "Apache-2.0"


def test_the_citation_names_the_four_published_systems() -> None:
    references = citation()["references"]
    marks = {reference.get("doi") or reference["identifiers"][0]["value"] for reference in references}
    assert marks == {"arXiv:2007.15897", "arXiv:1804.02391", "arXiv:2303.01917", "10.1109/ISBI52829.2022.9761624"}
    assert all(author["family-names"] for reference in references for author in reference["authors"])


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_in_the_documents_is_a_target(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    code = re.findall(r"^```.*?^```|`[^`\n]+`", text, re.MULTILINE | re.DOTALL)
    commands = re.findall(r"(?<![\w/-])make +(?:[A-Z]+=\S+ +)*([a-z]\w*)", "\n".join(code))
    assert commands, "no make command found"
    assert set(commands) <= make_targets()


def test_pre_commit_runs_the_commands_of_make_lint() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == commands
    assert repository["repo"] == "local"


def test_what_has_to_pass_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    steps = re.findall(r"^make (\w+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert steps[:2] == ["test", "lint"]
    assert set(steps) <= make_targets()


def test_no_dependency_is_pinned() -> None:
    table = project()
    extras = [requirement for group in table["project"]["optional-dependencies"].values() for requirement in group]
    requirements = [*table["build-system"]["requires"], *table["project"]["dependencies"], *extras]
    assert len(requirements) > 20
    assert [requirement for requirement in requirements if "==" in requirement or "~=" in requirement] == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_private_is_in_the_tree(what: str) -> None:
    files = [
        path for path in FILES if path.suffix != ".png" or what != "work left undone"
    ]  # three bytes come by chance
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8", errors="replace") for path in files}
    hits = {name: re.search(FORBIDDEN[what], text) for name, text in texts.items()}
    assert {name: hit[0] for name, hit in hits.items() if hit} == {}
