"""Comparisons on the real photographs of CHASE_DB1, small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from foveola.comparison import compare, load_data
from foveola.protocol import RunConfiguration, read_configuration
from foveola.protocol.planning.plan import make_splits
from foveola.statistics.metrics.mask_scores import mask_scores

SMALL = {
    "backbone.name": "small-unet",
    "backbone.width": 8,
    "preprocessing.image_size": 160,
    "training.lr": 0.01,
    "protocol": "holdout",
}
TESTED = [f"Image_{child:02d}{side}" for child in (11, 12, 13, 14) for side in "LR"]


def configured(photographs: Path, arms: list[str], **options: object) -> RunConfiguration:
    return read_configuration(options={"data": f"chase:{photographs}", "arms": arms, **SMALL, **options})


@pytest.fixture(scope="module")
def photographs(real_data: Path) -> Path:
    return real_data / "chase-db1"


def read_mask(path: Path) -> np.ndarray:
    with Image.open(path) as stored:
        return np.asarray(stored)


@pytest.fixture(scope="module")
def run(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vessels learned from patches, beside the second observer; to be read only."""
    folder = tmp_path_factory.mktemp("vessels") / "run"
    options = {
        "training.epochs": 10,
        "training.batch_size": 2,
        "segmentation.patch": 64,
        "segmentation.patches": 2,
        "segmentation.grid": "stored",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        compare(configured(photographs, ["joint", "human"], **options), folder)
    return folder


def test_vessels_are_found(run: Path) -> None:
    results = pd.read_csv(run / "results.csv").set_index(["arm", "metric"])["value"]
    assert results["joint", "dice"] > 0.35
    assert results["joint", "auc"] > 0.8
    assert 0.7 < results["human", "dice"] < 0.85
    assert results["human", "specificity"] > 0.95
    table = pd.read_csv(run / "predictions.csv")
    assert table["sample"].tolist() == TESTED * 2, "the last eight photographs are the test set of the literature"


def test_the_second_observer_is_scored_as_by_hand_in_full_size(photographs: Path, tmp_path: Path) -> None:
    names = [f"Image_{child:02d}{side}" for child in range(1, 15) for side in "LR"]
    roles = ["test" if name in TESTED[:2] else "train" for name in names]
    pd.DataFrame({"sample": names, "role": roles}).to_csv(tmp_path / "split.csv", index=False)
    compare(configured(photographs, ["human"], split_file=str(tmp_path / "split.csv")), tmp_path / "run")
    table = pd.read_csv(tmp_path / "run" / "predictions.csv").set_index("sample")
    assert table.index.tolist() == TESTED[:2]
    for sample in TESTED[:2]:
        first, second = (read_mask(photographs / f"{sample}_{who}.png") > 0 for who in ("1stHO", "2ndHO"))
        written = read_mask(tmp_path / "run" / "fits" / "human" / "0-0" / "masks" / f"{sample}.png")
        assert np.array_equal(written == 1, second)
        assert table["dice"][sample] == pytest.approx(2 * (first & second).sum() / (first.sum() + second.sum()))
        assert table["sensitivity"][sample] == pytest.approx((first & second).sum() / first.sum())
        assert table["area[vessel]"][sample] == second.sum()


def test_scores_are_those_of_what_is_written(run: Path, photographs: Path) -> None:
    _, data, _ = load_data(read_configuration(run / "run.yaml"))
    assert data.masks is not None
    for arm in ("joint", "human"):
        table = pd.read_csv(run / "fits" / arm / "0-0" / "predictions.csv").set_index("sample")
        for sample in (TESTED[0], TESTED[-1]):
            row = data.cohort.table["sample"].tolist().index(sample)
            mask = read_mask(run / "fits" / arm / "0-0" / "masks" / f"{sample}.png")
            height, width = read_mask(photographs / f"{sample}_1stHO.png").shape
            spacing = (max(height, width) / 160,) * 2
            expected = mask_scores(mask, data.masks[row, 0], data.cohort.classes, spacing=spacing)
            for name in ("dice", "boundary_dice", "false_islands", "tp", "fp"):
                assert table[name][sample] == pytest.approx(expected[name], rel=1e-8), name
            assert table["hd95"][sample] == pytest.approx(expected["hd95"], rel=1e-2), "in pixels of the photograph"


def test_there_is_a_picture_of_every_tested_photograph(run: Path) -> None:
    assert sorted(path.name for path in (run / "pictures").iterdir()) == [f"{sample}.png" for sample in TESTED]
    assert {path.name for path in (run / "maps").iterdir()} >= {"joint.npy", "joint.png", "arms.png"}
    assert yaml.safe_load((run / "run.yaml").read_text())["metrics"] == "segmentation"


def test_both_eyes_of_a_child_stay_together_under_the_sound_protocol(photographs: Path) -> None:
    configuration = configured(photographs, ["plain"], protocol="sound", folds=4, repeats=2)
    configuration, data, _ = load_data(configuration)
    splits = make_splits(configuration, data.cohort)
    child = splits["sample"].str[6:8]
    assert (splits.assign(child=child).groupby(["fold", "child"])["role"].nunique() == 1).all()
    assert set(splits["role"]) == {"train", "val", "test"}
    assert splits["fold"].nunique() == 8
    assert data.splits.equals(splits)
