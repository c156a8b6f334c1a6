"""What README and docs tell people to run, run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import forked
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = ["--backbone", "small-cnn", "--image-size", "16", "--epochs", "2", "--batch-size", "4"]
MASKS = ["--image-size", "32", "--epochs", "1", "--batch-size", "2"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(program: str) -> list[str]:
    return [line for block in blocks("console") for line in block.splitlines() if line.startswith(program)]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two folders of small grey images, one labelled, and one of images with masks."""
    rng = np.random.default_rng(0)
    for folder, count in (("scans/healthy", 7), ("scans/ill", 6), ("new-scans", 3)):
        (tmp_path / folder).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(0, 255, (24, 20), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{index}.png")
    for index in range(5):
        mask = np.zeros((40, 32), np.uint8)
        mask[4 + index : 30, 9:15] = 255
        image = (mask // 2 + rng.integers(0, 99, (40, 32))).astype(np.uint8)
        for folder, pixels in (("images", image), ("masks", mask)):
            (tmp_path / "vessels" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "vessels" / folder / f"{index}.png")
    return tmp_path


def test_python_blocks_run() -> None:
    code = blocks("python")
    assert len(code) == 3
    names: dict[str, object] = {}
    exec(compile("\n".join(code), "README.md", "exec"), names)
    heatmap = names["heatmap"]
    assert tuple(heatmap.shape) == (56, 48)  # type: ignore[attr-defined]
    assert 0 <= heatmap.min() <= heatmap.max() <= 1  # type: ignore[attr-defined]
    sizes = {place: tuple(values.shape) for place, values in names["maps"].items()}  # type: ignore[attr-defined]
    assert sizes == {"layer1": (40, 14, 12), "layer2": (40, 7, 6), "layer3": (40, 4, 3), "layer4": (40, 2, 2)}


def test_foveola_commands_run(scans: Path) -> None:
    """Each as it stands, made small; ``predict`` and ``explain`` use the model that ``fit`` leaves."""
    lines = commands("foveola")
    assert [shlex.split(line)[1] for line in lines] == ["compare", "fit", "predict", "explain", "compare"]
    for line in lines:
        words = shlex.split(line)[1:]
        own = MASKS if any(word.startswith("pairs:") for word in words) else SMALL
        extra = {"compare": [*own, "--folds", "2", "--repeats", "1"], "fit": SMALL}.get(words[0], [])
        run = forked.command([*words, *extra], scans)
        assert run.returncode == 0, run.stderr
    assert (scans / "predictions.csv").read_text().count("\n") == 1 + 3
    assert len(list((scans / "maps" / "images").glob("*.png"))) == 3
    assert len(list((scans / "explained").rglob("*-overlay.png"))) == 2 * 3
    assert list(scans.glob("runs/scans-*/maps/arms.png"))
    assert len(list(scans.glob("runs/*vessels-*/fits/joint/*/masks/*.png"))) == 5


def test_make_commands_are_exactly_two() -> None:
    assert commands("make") == ["make demo", "make test"]
    for target in ("demo", "test"):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    local = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in local if not ((ROOT / page).parent / link).exists()]
    assert not missing
