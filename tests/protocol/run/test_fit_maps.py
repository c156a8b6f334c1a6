"""What a fit leaves of its maps: means over test images, before and after training, and a score an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from foveola.comparison import compare, load_data
from foveola.models import FittedModel
from foveola.protocol import FitData, PlannedFit, RunConfiguration, run_fit
from foveola.protocol.run import fit
from foveola.training import fitting

Configure = Callable[..., RunConfiguration]
Case = tuple[Path, FitData]

PHANTOM = {"data": "phantom:n=40,size=32", "preprocessing.image_size": 32, "training.lr": 0.003}


def data_of(configuration: RunConfiguration) -> FitData:
    return load_data(configuration)[1]


@pytest.fixture(scope="module")
def run(gate: str, configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A finished run of a mask and of gates inside the network, on images whose truth is known; to be read only."""
    folder = tmp_path_factory.mktemp("gated") / "run"
    configuration = configure(["plain", "l1-fair", gate], PHANTOM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        for name in ("map_picture", "before_after_picture", "arms_picture"):
            patch.setattr(f"foveola.reporting.cohort_maps.{name}", lambda *_, **__: None)
        compare(configuration, folder)
        return folder, data_of(configuration)


def slow_summaries(model: FittedModel, data: FitData) -> np.ndarray:
    """Each test image's own summary, with one forward pass an image and torch's enlargement."""
    summaries = []
    for row in data.rows("test", 0):
        stored = torch.from_numpy(data.pixels[[row]])
        with torch.no_grad():
            _, maps = model.network(model.description.scaling.apply(stored), return_maps=True)
        enlarged = [
            torch.nn.functional.interpolate((values / values.mean())[None], (32, 32), mode="bilinear")[0, 0]
            for values in maps.values()
        ]
        summaries.append(torch.stack(enlarged).mean(0).numpy())
    return np.stack(summaries)


def slow_auc(attention_map: np.ndarray, truth: np.ndarray) -> float:
    inside, outside = attention_map[truth][:, None], attention_map[~truth]
    return float(np.mean((inside > outside) + (inside == outside) / 2))


def test_the_cohort_map_is_the_mean_of_the_summaries_of_the_test_images(run: Case) -> None:
    folder, data = run[0] / "fits/gate/0-0", run[1]
    expected = slow_summaries(FittedModel.load(folder), data)
    written = np.load(folder / "map.npy")
    assert (written.shape, written.dtype) == ((32, 32), np.float32)
    np.testing.assert_allclose(written, expected.mean(0), atol=1e-5)
    assert not np.allclose(written, np.load(folder / "map-before.npy"), atol=1e-3), "training left it as it was"


def test_every_place_has_its_mean_map_at_its_own_resolution(run: Case) -> None:
    folder, data = run[0] / "fits/gate/0-0", run[1]
    model = FittedModel.load(folder)
    every = list(model.maps(data.pixels, data.rows("test", 0)))
    assert sorted(path.name for path in (folder / "maps").iterdir()) == ["block1.npy", "block2.npy", "block3.npy"]
    for place, size in model.places.items():
        written = np.load(folder / "maps" / f"{place}.npy")
        assert (written.shape, written.dtype) == (size, np.float32)
        np.testing.assert_allclose(written, np.mean([maps[place] for maps in every], axis=0), rtol=1e-6)


def test_a_mask_is_its_own_cohort_map(run: Case) -> None:
    folder = run[0] / "fits/l1-fair/0-0"
    mask = FittedModel.load(folder).map
    for name in ("map.npy", "maps/input.npy"):
        np.testing.assert_array_equal(np.load(folder / name), mask)
    np.testing.assert_array_equal(np.load(folder / "map-before.npy"), np.ones((32, 32), np.float32))
    assert not (folder / "map-truth.csv").exists()
    assert not list((run[0] / "fits/plain/0-0").glob("map*"))


def test_scores_are_of_the_cohort_map_and_of_each_image(run: Case) -> None:
    folder, data = run
    assert data.cohort.truth is not None
    truth = data.cohort.truth(32, 32)
    own = pd.read_csv(folder / "fits/gate/0-0/map-truth.csv")
    assert own["sample"].tolist() == data.cohort.table["sample"].to_numpy()[data.rows("test", 0)].tolist()
    summaries = slow_summaries(FittedModel.load(folder / "fits/gate/0-0"), data)
    assert own["auc"].tolist() == pytest.approx([slow_auc(one, truth) for one in summaries], abs=0.005)
    table = pd.read_csv(folder / "maps/truth.csv").set_index("arm")
    assert list(table.columns) == ["fold", "seed", "auc_before", "auc", "auc_images"]
    assert list(table.index) == ["l1-fair", "gate"]
    assert table.loc["gate", "auc_images"] == pytest.approx(own["auc"].mean())
    assert table.loc["gate", "auc"] == pytest.approx(slow_auc(summaries.mean(0), truth), abs=0.005)
    assert table.loc["l1-fair", "auc_images"] == table.loc["l1-fair", "auc"]


def test_the_map_before_is_of_the_network_that_training_starts_from(
    gate: str, configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And it costs the training nothing: the network comes to it in training mode, with the statistics it had."""
    started = []

    def recorded(model: torch.nn.Module, *_: object, **__: object) -> None:
        started.append(model)

    monkeypatch.setattr(fitting, "train", recorded)
    monkeypatch.setattr(fit, "_test", lambda model, *_: started.append(model))
    configuration, data, _ = load_data(configure([gate], PHANTOM))
    run_fit(PlannedFit(gate, 0, 3), configuration, data, tmp_path)
    network, model = started
    assert all(module.training for module in network.modules())
    assert all((value == 0).all() for name, value in network.state_dict().items() if name.endswith("running_mean"))
    network.eval()
    expected = slow_summaries(model, data).mean(0)
    np.testing.assert_allclose(np.load(tmp_path / "map-before.npy"), expected, atol=1e-5)


@pytest.mark.usefixtures("no_pictures")
def test_flat_maps_are_fine_and_prefer_nothing(gate: str, configure: Configure, tmp_path: Path) -> None:
    result = compare(configure([gate], {**PHANTOM, f"{gate}.flat": True, "training.epochs": 1}), tmp_path / "run")
    for name in (f"maps/{gate}.npy", f"fits/{gate}/0-0/map-before.npy"):
        np.testing.assert_allclose(np.load(tmp_path / "run" / name), 1, atol=1e-6)
    assert not np.load(tmp_path / f"run/maps/{gate}-sd.npy").any()
    assert result.maps[["auc_before", "auc", "auc_images"]].to_numpy().tolist() == [[0.5, 0.5, 0.5]]


@pytest.mark.usefixtures("no_pictures")
def test_the_same_run_gives_the_same_maps_to_the_byte(
    run: Case, gate: str, configure: Configure, tmp_path: Path
) -> None:
    compare(configure(["plain", "l1-fair", gate], PHANTOM), tmp_path / "again")
    names = [path.relative_to(run[0]) for path in run[0].rglob("*") if path.suffix == ".npy" or "truth" in path.name]
    assert len(names) == 2 * (2 + 3) + 1 + 3 + 1 + 1
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (run[0] / name).read_bytes(), name
