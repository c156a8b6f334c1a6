from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from foveola.attention import ARMS, Attended
from foveola.data.cohort import Cohort, sample_table
from foveola.data.images.arrays import ArrayImages
from foveola.data.stored.preprocessing import Preprocessing, Scaling
from foveola.foundation.errors import FoveolaError
from foveola.inference.ppcr_analysis import ppcr_modules, write_ppcr_analysis
from foveola.models import BackboneSettings, FittedModel, ModelDescription, arm_network

CLASSES = ("late", "early", "none")
LABELS = np.array([1, 0, 1, 1, 0, -1, 0, 1, 1, 0, 0])
PIXELS = np.random.default_rng(6).integers(0, 256, (11, 1, 16, 16), dtype=np.uint8)
FILES = ["ppcr-gates-by-class.csv", "ppcr-gates-by-class.png", "ppcr-gates.csv", "ppcr-levels.csv", "ppcr-levels.png"]


def fitted(arm: str = "ppcr", moved: bool = True, **options: Any) -> FittedModel:
    """A model that was never trained, with weights that are not its first ones."""
    torch.manual_seed(3)
    description = ModelDescription(
        arm=arm,
        fold=2,
        seed=1,
        epoch=7,
        classes=CLASSES,
        channels=1,
        backbone=BackboneSettings(name="small-cnn"),
        preprocessing=Preprocessing(image_size=16),
        scaling=Scaling(mean=(0.4,), std=(0.2,)),
        attention={},
        arm_settings=options,
    )
    network = arm_network(ARMS[arm], ARMS[arm].configure(options), description.backbone, description.shape)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * moved * torch.randn_like(parameter))
        network(torch.randn(9, 1, 16, 16))
    return FittedModel(Attended(network, None).eval(), description)


def cohort(labels: np.ndarray = LABELS, classes: tuple[str, ...] = CLASSES) -> Cohort:
    names = [f"scan {number}" for number in range(len(labels))]
    return Cohort(
        "scans", classes, sample_table(names, labels.tolist()), ArrayImages(PIXELS[: len(labels), 0], "scans")
    )


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False)


def test_the_tables_are_the_definition(tmp_path: Path) -> None:
    model, told = fitted(), list[tuple[str, int, int]]()
    write_ppcr_analysis(model, cohort(), PIXELS, tmp_path, lambda *what: told.append(what))
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert told == [("Measuring gates", number, 11) for number in range(1, 12)]
    images, gates = read(tmp_path / "ppcr-gates.csv"), read(tmp_path / "ppcr-gates-by-class.csv")
    assert images.columns.tolist() == ["sample", "label", "block1", "block2", "block3"]
    assert images["sample"].tolist() == [f"scan {number}" for number in range(11)]
    assert images["label"].tolist() == [[*CLASSES, ""][label] for label in LABELS]
    scaled = torch.from_numpy((PIXELS / np.float32(255) - np.float32(0.4)) / np.float32(0.2))
    with torch.no_grad():
        _, maps = model.network(scaled, return_maps=True)
    places, names = ("block1", "block2", "block3"), ("late", "early", "unlabelled")
    found = list(zip(gates["place"], gates["class"], strict=True))
    assert found == [(place, name) for place in places for name in names]
    for place, values in maps.items():
        means, sds = values.double().mean((1, 2)).numpy(), values.double().std((1, 2), correction=0).numpy()
        np.testing.assert_allclose(images[place], means, rtol=1e-5)
        for label, name in ((0, "late"), (1, "early"), (-1, "unlabelled")):
            own = np.sort(means[label == LABELS])
            row = gates[(gates["place"] == place) & (gates["class"] == name)].iloc[0].to_dict()
            assert row["images"] == len(own) == {0: 5, 1: 5, -1: 1}[label]
            for column, share in (("q05", 0.05), ("q25", 0.25), ("q50", 0.5), ("q75", 0.75), ("q95", 0.95)):
                position = share * (len(own) - 1)
                low, high = int(np.floor(position)), int(np.ceil(position))
                expected = own[low] + (position - low) * (own[high] - own[low])
                assert row[column] == pytest.approx(expected, rel=1e-5)
            assert row["within_sd"] == pytest.approx(sds[label == LABELS].mean(), rel=1e-4)


def test_the_levels_are_shares(tmp_path: Path) -> None:
    model = fitted(levels=[1, 2, 8])
    write_ppcr_analysis(model, cohort(), PIXELS, tmp_path)
    levels, modules = read(tmp_path / "ppcr-levels.csv"), ppcr_modules(model)
    assert list(modules) == ["block1", "block2", "block3"]
    assert levels["place"].tolist() == [place for place in modules for _ in range(3)]
    assert levels["level"].tolist() == [1, 2, 8] * 3
    np.testing.assert_allclose(levels["even_share"], [1 / 11, 2 / 11, 8 / 11] * 3, rtol=1e-8)
    for place, module in modules.items():
        own = levels[levels["place"] == place]
        weights = np.abs(module.weight.detach().numpy().ravel() * module.norm.weight.detach().numpy())  # type: ignore[operator]
        expected = np.array([weights[0], weights[1:3].sum(), weights[3:].sum()])
        np.testing.assert_allclose(own["weight"], expected, rtol=1e-5)
        np.testing.assert_allclose(own["share"], expected / expected.sum(), rtol=1e-5)


@pytest.mark.parametrize("options", [{"preset": "paper-like"}, {"norm": "none", "levels": [2]}, {"norm": "spatial"}])
def test_every_form_has_an_analysis(options: dict[str, Any], tmp_path: Path) -> None:
    write_ppcr_analysis(fitted(**options), cohort(), PIXELS, tmp_path)
    levels = read(tmp_path / "ppcr-levels.csv")
    np.testing.assert_allclose(levels.groupby("place")["share"].sum(), 1, rtol=1e-6)


def test_gates_that_never_learned(tmp_path: Path) -> None:
    write_ppcr_analysis(fitted(moved=False), cohort(), PIXELS, tmp_path)
    levels, gates = read(tmp_path / "ppcr-levels.csv"), read(tmp_path / "ppcr-gates-by-class.csv")
    assert (levels["share"] == 0).all()
    assert (gates[["q05", "q50", "q95"]] == 0.5).to_numpy().all()
    assert (gates["within_sd"] == 0).all()
    for name in FILES:
        if name.endswith("png"):
            assert np.asarray(Image.open(tmp_path / name)).std() > 0


def test_a_cohort_of_fewer_classes_in_another_order(tmp_path: Path) -> None:
    write_ppcr_analysis(fitted(), cohort(np.array([0, 1, 1]), ("early", "late")), PIXELS[:3], tmp_path)
    gates = read(tmp_path / "ppcr-gates-by-class.csv")
    assert gates["class"].tolist() == ["late", "early"] * 3
    assert gates["images"].tolist() == [2, 1] * 3
    write_ppcr_analysis(fitted(), cohort(np.full(4, -1), ()), PIXELS[:4], tmp_path)
    assert set(read(tmp_path / "ppcr-gates-by-class.csv")["class"]) == {"unlabelled"}


def test_twice_gives_the_same_bytes_and_nothing_is_left_on_the_model(tmp_path: Path) -> None:
    model = fitted()
    state = {name: value.clone() for name, value in model.network.state_dict().items()}
    for folder in ("one", "two"):
        write_ppcr_analysis(model, cohort(), PIXELS, tmp_path / folder)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert all(torch.equal(value, state[name]) for name, value in model.network.state_dict().items())
    assert not any(module._forward_hooks for module in model.network.modules())


def test_a_model_without_such_gates(tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match=r"pyramid pixel context, got one of the arm 'plain', .*; fit one"):
        write_ppcr_analysis(fitted("plain"), cohort(), PIXELS, tmp_path / "out")
    assert not (tmp_path / "out").exists()
