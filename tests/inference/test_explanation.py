"""Explanations: every map of every image, where it belongs on the image as it was taken."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from foveola.comparison import fit_model
from foveola.data import load_cohort
from foveola.data.stored.cache import prepared_images
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError
from foveola.inference.explanation import explain
from foveola.inference.prediction import predict
from foveola.maps.resize import RULE, resized
from foveola.maps.summary import summary
from foveola.models import FittedModel
from foveola.pictures.map_pictures import overlay
from foveola.protocol import RunConfiguration

Configure = Callable[..., RunConfiguration]
CROP = (2, 1, 20, 15)
PLACES = {"block1": (8, 8), "block2": (4, 4), "block3": (2, 2), "summary": (16, 16)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colour images of 24 x 17 pixels with a table that knows the side of each eye."""
    root = tmp_path_factory.mktemp("photos") / "photos"
    rng = np.random.default_rng(9)
    lines = ["file,label,split,laterality"]
    for index in range(14):
        path = root / "eyes" / f"{index} x.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (17, 24, 3), dtype=np.uint8)).save(path)
        lines.append(f"eyes/{path.name},{'ab'[index // 2 % 2]},{'test' if index < 4 else 'train'},{'LR'[index % 2]}")
    (root / "eyes.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def models(
    photos: Path, gate: str, configure: Configure, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Models of a mask, of no attention, and of gates inside the network; fitted when asked for, once."""
    root = tmp_path_factory.mktemp("models")

    def fitted(name: str) -> Path:
        arm = gate if name == "flat" else name
        options: dict[str, Any] = {"data": str(photos), "preprocessing.crop": CROP, "training.lr": 0.02}
        options |= {f"{gate}.flat": True} if name == "flat" else {}
        if not (root / name).is_dir():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
                fit_model(configure([arm], options), root / name)
        return root / name

    return fitted


@pytest.fixture(scope="module")
def explained(
    photos: Path, models: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[tuple[str, int, int]]]:
    """The explanation of the first five photos by the gates, and what was told of it; to be read only."""
    out, steps = tmp_path_factory.mktemp("explained") / "out", list[tuple[str, int, int]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        count = explain(models("gate"), str(photos), out, limit=5, progress=lambda *step: steps.append(step))
    assert count == 5
    return out, steps


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def pixels(photos: Path) -> np.ndarray:
    """All photos as the network sees them, but for the scaling."""
    return prepared_images(load_cohort(str(photos)), Preprocessing(image_size=16, crop=CROP, channels=3))


def summaries(model: Path, photos: Path) -> list[np.ndarray]:
    return [summary(maps, 16, 16) for maps in FittedModel.load(model).maps(pixels(photos))]


def test_every_image_and_place_has_its_files(explained: tuple[Path, Any]) -> None:
    out, steps = explained
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    endings = (".npy", ".png", "-overlay.png")
    expected = {f"eyes/{index} x.png/{place}{end}" for index in range(5) for place in PLACES for end in endings}
    assert files == expected | {"maps.csv", "explain.json"}
    assert ("Explaining images", 5, 5) in steps
    assert not any(total > 5 for _, _, total in steps), "no other image was read"


def test_arrays_are_the_maps_that_the_network_used(
    explained: tuple[Path, Any], photos: Path, models: Callable[[str], Path]
) -> None:
    every = FittedModel.load(models("gate")).maps(pixels(photos), np.arange(5))
    for index, (maps, own) in enumerate(zip(every, summaries(models("gate"), photos), strict=False)):
        for place, values in {**maps, "summary": own}.items():
            written = np.load(explained[0] / f"eyes/{index} x.png/{place}.npy")
            assert (written.shape, written.dtype) == (PLACES[place], np.float32)
            np.testing.assert_allclose(written, values, rtol=1e-6)


def test_overlays_lie_on_the_photo_as_it_was_taken(explained: tuple[Path, Any], photos: Path) -> None:
    left, top, right, bottom = CROP
    for index in range(5):
        photo, folder = read(photos / f"eyes/{index} x.png"), explained[0] / f"eyes/{index} x.png"
        for place in PLACES:
            values = resized(np.load(folder / f"{place}.npy"), bottom - top, right - left)
            values = values[:, ::-1] if index % 2 else values  # right eyes were mirrored
            expected = photo.copy()
            expected[top:bottom, left:right] = overlay(photo[top:bottom, left:right], values)
            np.testing.assert_array_equal(read(folder / f"{place}-overlay.png"), expected)


def test_the_index_says_what_is_in_the_arrays(explained: tuple[Path, Any]) -> None:
    table = pd.read_csv(explained[0] / "maps.csv", dtype={"place": str})
    columns = ["sample", "place", "height", "width", "min", "mean", "max", "flat", "mirrored"]
    assert list(table.columns) == columns
    assert table["place"].tolist() == list(PLACES) * 5
    for row in table.to_dict("records"):
        values = np.load(explained[0] / row["sample"] / f"{row['place']}.npy")
        assert (row["height"], row["width"]) == values.shape
        assert [row["min"], row["mean"], row["max"]] == pytest.approx([values.min(), values.mean(), values.max()])
        assert row["flat"] is False
        assert row["mirrored"] == (int(row["sample"][5]) % 2 == 1)


def test_the_description_names_the_model_and_the_rule(
    explained: tuple[Path, Any], models: Callable[[str], Path]
) -> None:
    said = json.loads((explained[0] / "explain.json").read_text())
    assert (said["schema_version"], said["arm"], said["fold"], said["seed"], said["images"]) == (1, "gate", 0, 0, 5)
    assert said["model"] == str(models("gate"))
    assert said["resize"] == RULE
    assert {place: tuple(size) for place, size in said["places"].items()} | {"summary": (16, 16)} == PLACES
    assert tuple(said["crop"]) == CROP


def test_the_same_again_gives_the_same_bytes_and_one_image_alone_too(
    explained: tuple[Path, Any], photos: Path, models: Callable[[str], Path], tmp_path: Path
) -> None:
    explain(models("gate"), str(photos), tmp_path / "again", limit=5, labelled=False)
    for path in explained[0].rglob("*.*g"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(explained[0])).read_bytes() == path.read_bytes(), path
    assert explain(models("gate"), str(photos / "eyes/2 x.png"), tmp_path / "one") == 1
    for place in PLACES:
        written = (tmp_path / f"one/2 x.png/{place}.npy").read_bytes()
        assert written == (explained[0] / f"eyes/2 x.png/{place}.npy").read_bytes()


def test_a_mask_is_the_same_for_every_image(photos: Path, models: Callable[[str], Path], tmp_path: Path) -> None:
    mask = np.load(models("l1-fair") / "map.npy")
    explain(models("l1-fair"), str(photos), tmp_path, limit=2)
    for name in ("input", "summary"):
        for index in range(2):
            np.testing.assert_array_equal(np.load(tmp_path / f"eyes/{index} x.png/{name}.npy"), mask)


def test_flat_maps_give_flat_pictures_and_one_warning_a_place(
    photos: Path, models: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        explain(models("flat"), str(photos), tmp_path, limit=3)
    assert [record.getMessage() for record in caplog.records] == [
        f"the map at {place} is flat for 3 of 3 images: it prefers no position" for place in PLACES
    ]
    table = pd.read_csv(tmp_path / "maps.csv")
    assert table["flat"].all()
    assert not table.isna().to_numpy().any()
    photo, tinted = read(photos / "eyes/0 x.png"), read(tmp_path / "eyes/0 x.png/block2-overlay.png")
    left, top, right, bottom = CROP
    seen = photo[top:bottom, left:right]
    np.testing.assert_array_equal(tinted[top:bottom, left:right], overlay(seen, np.zeros(seen.shape[:2])))


def test_images_of_several_sizes_each_at_its_own(scans: Path, gate: str, configure: Configure, tmp_path: Path) -> None:
    fit_model(configure([gate], {"preprocessing.sizes": "any", "preprocessing.modes": "convert"}), tmp_path / "model")
    (tmp_path / "new").mkdir()
    rng = np.random.default_rng(3)
    for name, shape in (("a", (9, 30)), ("b", (21, 7, 4)), ("c", (33, 40, 3))):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / "new" / f"{name}.png")
    Image.fromarray(rng.integers(0, 65536, (6, 11), dtype=np.uint16)).save(tmp_path / "new" / "d.png")
    explain(tmp_path / "model", str(tmp_path / "new"), tmp_path / "out")
    sizes = [read(tmp_path / f"out/{name}.png/summary-overlay.png").shape for name in "abcd"]
    assert sizes == [(9, 30, 3), (21, 7, 3), (33, 40, 3), (6, 11, 3)]


def test_pyramid_pixel_context_is_analysed_too(
    photos: Path, models: Callable[[str], Path], tmp_path: Path, explained: tuple[Path, Any]
) -> None:
    explain(models("ppcr"), str(photos), tmp_path, limit=6)
    assert {path.name for path in tmp_path.glob("ppcr-*")} == {
        f"ppcr-{name}" for name in ("levels.csv", "levels.png", "gates.csv", "gates-by-class.csv", "gates-by-class.png")
    }
    gates, table = (pd.read_csv(tmp_path / name) for name in ("ppcr-gates.csv", "maps.csv"))
    table = table[table["place"] == "block2"]
    assert gates["sample"].tolist() == table["sample"].tolist()
    assert gates["block2"].tolist() == pytest.approx(table["mean"].tolist(), rel=1e-5)
    assert not list(explained[0].glob("ppcr-*"))


def test_what_is_half_done_is_not_described(
    photos: Path, models: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain(models("gate"), str(photos), tmp_path, limit=1)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("foveola.inference.explanation.place_picture", full)
    with pytest.raises(OSError, match="No space"):
        explain(models("gate"), str(photos), tmp_path, limit=2)
    assert not (tmp_path / "explain.json").exists()


def test_what_cannot_be_explained(photos: Path, models: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match=r"a model with attention, got one of the arm 'plain', .*; choose a model"):
        explain(models("plain"), str(photos), tmp_path / "out")
    with pytest.raises(FoveolaError, match="at least one image, got 0, in --limit"):
        explain(models("gate"), str(photos), tmp_path / "out", limit=0)
    with pytest.raises(FoveolaError, match="'nowhere'"):
        explain(models("gate"), "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_predictions_come_with_the_summary_of_each_image(
    photos: Path, models: Callable[[str], Path], tmp_path: Path
) -> None:
    predict(models("gate"), str(photos), tmp_path / "new.csv", maps=tmp_path / "maps")
    every = summaries(models("gate"), photos)
    np.testing.assert_allclose(np.load(tmp_path / "maps/map.npy"), np.mean(every, axis=0), rtol=1e-6)
    for index, (own, stored) in enumerate(zip(every, pixels(photos), strict=True)):
        picture = read(tmp_path / f"maps/images/eyes/{index} x.png.png")
        np.testing.assert_array_equal(picture, overlay(stored.transpose(1, 2, 0), own))
