"""Settings of networks for masks are searched and swept as those of classifiers are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from foveola.comparison import compare
from foveola.foundation.errors import FoveolaError
from foveola.protocol import RunConfiguration, read_configuration
from foveola.search import search, sweep

DATA = "phantom:n=12,size=32,masks=true"
SMALL = {
    "data": DATA,
    "arms": ["joint"],
    "backbone.name": "small-unet",
    "backbone.width": 4,
    "training.epochs": 2,
    "training.batch_size": 4,
    "training.criterion": "dice",
}


def configured(**options: Any) -> RunConfiguration:
    return read_configuration(options={**SMALL, **{key.replace("__", "."): value for key, value in options.items()}})


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the drawing, which takes longer than the training of so few images."""
    for name in (
        "cohort_maps.map_picture",
        "cohort_maps.before_after_picture",
        "cohort_maps.arms_picture",
        "mask_pictures.masks_picture",
    ):
        monkeypatch.setattr(f"foveola.reporting.{name}", lambda *_, **__: None)


def test_a_search_takes_the_settings_of_the_best_dice(tmp_path: Path) -> None:
    space = {"training.lr": [0.01, 1e-6], "joint.variant": ["additive", "scale"]}
    found = search(configured(), tmp_path / "study", space=space)
    assert found.trials["state"].tolist() == ["complete"] * 4
    for number, row in found.trials.set_index("number").iterrows():
        history = pd.read_csv(tmp_path / "study" / "trials" / f"{number:04d}" / "0" / "history.csv")
        assert row["score"] == pytest.approx(history["val_dice"].max(), rel=1e-6)
    assert found.trials["score"].nunique() > 1
    assert found.best == found.trials["score"].argmax()
    best = read_configuration(tmp_path / "study" / "best.yaml")
    assert best.arms["joint"]["variant"] == found.trials["joint.variant"][found.best]
    run = compare(best, tmp_path / "best")
    assert 0 <= run.summary["dice"]["joint"] <= 1


def test_nested_folds_choose_by_dice(tmp_path: Path) -> None:
    space = {"training.lr": [0.01, 1e-6]}
    options = {"protocol": "nested", "folds": 2, "repeats": 1, "search__folds": 2, "search__space": space}
    compare(configured(training__epochs=1, **options), tmp_path / "run")
    for fold in (0, 1):
        chosen = json.loads((tmp_path / "run" / "fits" / "joint" / f"{fold}-0" / "chosen.json").read_text())
        means = [sum(trial["scores"]) / 2 for trial in chosen["trials"]]
        assert chosen["trial"] == means.index(max(means))


def test_a_sweep_shows_dice_and_varies_how_masks_are_learned(tmp_path: Path) -> None:
    options = {"protocol": "holdout", "seeds": 2, "training__epochs": 1}
    swept = sweep(configured(**options), tmp_path / "swept", {"segmentation.loss": ["dice", "dice-ce"]})
    assert swept.metric == "dice"
    own = swept.table[swept.table["metric"] == "dice"].set_index("value")
    assert own["is_base"].to_dict() == {"dice": False, "dice-ce": True}
    areas = swept.table[swept.table["metric"] == "auc"].set_index("value")["mean"]
    assert areas["dice"] != areas["dice-ce"]
    results = pd.read_csv(tmp_path / "swept" / "segmentation.loss=dice" / "results.csv")
    assert own["mean"]["dice"] == pytest.approx(results["value"][results["metric"] == "dice"].mean())
    assert (tmp_path / "swept" / "segmentation.loss.png").is_file()


def test_nothing_of_a_person_can_be_searched(tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match="settings to search, got none of arm 'human'"):
        search(configured(arms=["human"]), tmp_path / "study")
    assert not (tmp_path / "study").exists()
