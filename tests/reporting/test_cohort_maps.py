from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foveola.attention import ARMS
from foveola.data import load_cohort
from foveola.data.cohort import Cohort
from foveola.data.stored.cache import prepared_images
from foveola.data.stored.preprocessing import Preprocessing
from foveola.protocol import FitData, PlannedFit, RunConfiguration, RunFolder, plan
from foveola.protocol.planning.plan import make_splits
from foveola.reporting import cohort_maps
from foveola.reporting.cohort_maps import save_maps

Configure = Callable[..., RunConfiguration]
Case = tuple[RunFolder, list[PlannedFit], FitData]


def prepare(configuration: RunConfiguration, cohort: Cohort, folder: Path) -> Case:
    """Writes the maps of fits that were never trained."""
    splits = make_splits(configuration, cohort)
    pixels = prepared_images(cohort, Preprocessing(image_size=16))
    run, planned = RunFolder(folder), plan(configuration, splits)
    rng = np.random.default_rng(5)
    for fit in planned:
        run.fit(fit).mkdir(parents=True)
        if fit.arm != "plain":
            for name in ("map-before", "map"):
                np.save(run.fit(fit) / f"{name}.npy", rng.random((16, 16), np.float32))
            (run.fit(fit) / "maps").mkdir()
            place = "input" if ARMS[fit.arm].mask else "block1"
            np.save(run.fit(fit) / "maps" / f"{place}.npy", rng.random((16, 16), np.float32))
    return run, planned, FitData(cohort, pixels, splits)


def slow_auc(attention_map: np.ndarray, truth: np.ndarray) -> float:
    inside, outside = attention_map[truth], attention_map[~truth]
    return float(np.mean([[a > b for b in outside] for a in inside]))


def test_mean_sd_pictures_and_scores(configure: Configure, tmp_path: Path) -> None:
    cohort = load_cohort("phantom:n=18,size=16")
    run, planned, data = prepare(configure(["plain", "l1", "global"], {"seeds": 3}), cohort, tmp_path)
    table = save_maps(run, planned, data)
    folder = tmp_path / "maps"
    names = {
        f"{arm}{end}"
        for arm in ("l1", "global")
        for end in (".npy", "-sd.npy", "-before.npy", ".png", "-before-after.png")
    }
    assert {path.name for path in folder.iterdir()} == names | {"arms.png", "truth.csv"}
    assert cohort.truth is not None
    truth = cohort.truth(16, 16)
    for arm in ("l1", "global"):
        before, after = (
            np.stack([np.load(run.fit(PlannedFit(arm, 0, seed)) / f"{name}.npy") for seed in range(3)]).astype(float)
            for name in ("map-before", "map")
        )
        assert np.allclose(np.load(folder / f"{arm}.npy"), after.mean(0))
        assert np.allclose(np.load(folder / f"{arm}-sd.npy"), after.std(0, ddof=1))
        assert np.allclose(np.load(folder / f"{arm}-before.npy"), before.mean(0))
        rows = table[table["arm"] == arm]
        assert rows["auc_images"].tolist() == rows["auc"].tolist(), "a mask is the same for every image"
        assert rows["seed"].tolist() == [0, 1, 2]
        assert rows["auc"].tolist() == pytest.approx([slow_auc(one, truth) for one in after])
        assert rows["auc_before"].tolist() == pytest.approx([slow_auc(one, truth) for one in before])
    assert np.allclose(pd.read_csv(folder / "truth.csv")["auc"], table["auc"])


@pytest.mark.usefixtures("no_pictures")
def test_no_truth_no_scores(configure: Configure, scans: Path, tmp_path: Path) -> None:
    case = prepare(configure(["l1"]), load_cohort(str(scans)), tmp_path)
    assert save_maps(*case).empty
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["l1-before.npy", "l1-sd.npy", "l1.npy"]
    assert not np.load(tmp_path / "maps" / "l1-sd.npy").any(), "one fit does not vary"


def test_arms_without_a_map_leave_nothing(configure: Configure, scans: Path, tmp_path: Path) -> None:
    case = prepare(configure(["plain"]), load_cohort(str(scans)), tmp_path)
    assert list(save_maps(*case).columns) == ["arm", "fold", "seed", "auc_before", "auc", "auc_images"]
    assert not (tmp_path / "maps").exists()


def test_relative_maps_are_drawn_as_such(
    gate: str, configure: Configure, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    for name in ("map_picture", "before_after_picture", "arms_picture"):
        monkeypatch.setattr(
            cohort_maps, name, lambda path, *_, relative, **__: drawn.append((Path(path).name, relative))
        )
    save_maps(*prepare(configure(["l1", gate]), load_cohort(str(scans)), tmp_path))
    assert drawn == [
        ("l1.png", False),
        ("l1-before-after.png", False),
        ("gate.png", True),
        ("gate-before-after.png", True),
        ("arms.png", ["gate"]),
    ]


def test_only_training_images_are_behind_the_map(
    configure: Configure, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    monkeypatch.setattr("foveola.reporting.cohort_maps.map_picture", lambda *args, **_: shown.append(args[2]))
    run, planned, data = prepare(configure(["l1"]), load_cohort(str(scans)), tmp_path)
    save_maps(run, planned, data)
    assert np.allclose(shown[0], data.pixels[:25, 0].mean(0) / 255)
