"""Run folders and models that earlier versions wrote open and go on, under the settings in their own files.

The folders below ``tests/earlier_versions`` were written by the version that they are named after; see its README.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import foveola
from foveola.attention import ARMS
from foveola.comparison import compare, fit_model
from foveola.data import load_cohort
from foveola.data.stored.cache import prepared_images
from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import Before
from foveola.inference.prediction import predict
from foveola.models import FittedModel
from foveola.protocol import RunConfiguration, RunFolder, read_configuration, read_run
from foveola.training import TrainingSettings

WRITTEN = Path(__file__).resolve().parents[1] / "earlier_versions" / "0.1.0"
IMAGES, MASKS = "phantom:n=40,size=16", "phantom:n=12,size=32,masks=true"
COMMAND = {
    "data": IMAGES,
    "arms": ["plain", "global"],
    "backbone.name": "small-cnn",
    "preprocessing.image_size": 16,
    "training.epochs": 3,
    "training.batch_size": 8,
    "training.lr": 0.01,
    "global.hidden": 5,
    "protocol": "holdout",
}
Mark = Callable[[str, Any], None]


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A run that 0.1.0 began and did not finish: the fit of ``global`` is missing."""
    return Path(shutil.copytree(WRITTEN / "stopped", tmp_path / "stopped"))


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Mark:
    """Says of a setting what it was before this version, as the annotation of a field does."""

    def marked(name: str, value: Any) -> None:
        group = ARMS["global"].settings if name == "hidden" else TrainingSettings
        field = group.model_fields[name]
        monkeypatch.setattr(field, "metadata", [*field.metadata, Before(foveola.__version__, value)])

    return marked


def rewritten(run: Path, values: dict[str, Any]) -> None:
    """Lets the run have been begun with other settings of training; ``None`` leaves one out."""
    kept = yaml.safe_load((run / "run.yaml").read_text())
    kept["training"] = {k: v for k, v in {**kept["training"], **values}.items() if v is not None}
    (run / "run.yaml").write_text(yaml.safe_dump(kept, sort_keys=False))


@pytest.mark.usefixtures("no_pictures")
def test_the_same_command_finishes_a_run_of_before(stopped: Path) -> None:
    kept = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    compare(read_configuration(options=COMMAND), stopped)
    assert {path: path.read_bytes() for path in kept} == kept, "what was there was written again"
    expected, found = (pd.read_csv(folder / "predictions.csv") for folder in (WRITTEN, stopped))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-5)  # another processor adds up otherwise
    assert (
        json.loads((stopped / "fits" / "global" / "0-0" / "model.json").read_text())["written_by"]
        == foveola.__version__
    )


def test_a_run_of_before_is_read_with_its_own_settings(stopped: Path) -> None:
    job = read_run(stopped)
    assert job.configuration.training.lr == 0.01
    assert list(job.fits) == ["fits/plain/0-0", "fits/global/0-0"]
    assert RunFolder(stopped).version == "0.1.0"


def test_a_model_of_before_predicts_what_it_predicted(stopped: Path) -> None:
    model = FittedModel.load(stopped / "fits" / "plain" / "0-0")
    assert model.description.written_by == "0.1.0"
    expected = pd.read_csv(stopped / "fits" / "plain" / "0-0" / "predictions.csv")
    cohort = load_cohort(IMAGES)
    rows = cohort.table.index[cohort.table["sample"].isin(expected["sample"])].to_numpy()
    pixels = prepared_images(cohort, model.description.preprocessing)
    columns = [column for column in expected if column not in ("sample", "arm", "fold", "seed", "epoch", "label")]
    np.testing.assert_allclose(model.probabilities(pixels, rows), expected[columns], rtol=1e-4, atol=1e-5)


def test_a_model_of_masks_goes_on_and_predicts_what_it_predicted(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(WRITTEN / "masks", tmp_path / "masks"))
    options = {
        "data": MASKS,
        "arms": ["joint"],
        "backbone.name": "small-unet",
        "backbone.width": 4,
        "preprocessing.image_size": 32,
        "training.epochs": 2,
        "training.batch_size": 4,
    }
    own = yaml.safe_load((folder / "run.yaml").read_text())
    scores = fit_model(read_configuration(options={**options, "protocol": own["protocol"]}), folder)
    expected = pd.read_csv(folder / "predictions.csv")
    assert scores["dice"] == pytest.approx(expected["dice"].mean())
    predict(folder, MASKS, tmp_path / "new.csv")
    found = pd.read_csv(tmp_path / "new.csv").set_index("sample").loc[expected["sample"]]
    np.testing.assert_allclose(found["area[lesion]"], expected["area[lesion]"], rtol=0.02)


def test_a_new_default_never_enters_a_run_of_before(stopped: Path, mark: Mark) -> None:
    """The run was begun with a weight decay that was the default then."""
    rewritten(stopped, {"weight_decay": 0.0007})
    configuration = read_configuration(options=COMMAND)
    assert RunFolder(stopped).as_begun(configuration) == configuration
    mark("weight_decay", 0.0007)
    begun = RunFolder(stopped).as_begun(configuration)
    assert begun.training.weight_decay == 0.0007
    assert begun.training.lr == 0.01
    given = read_configuration(options={**COMMAND, "training.weight_decay": 0.0003})
    assert RunFolder(stopped).as_begun(given).training.weight_decay == 0.0003
    with pytest.raises(FoveolaError, match=r"training\.weight_decay = 0\.0007, got 0\.0003, in .*run\.yaml"):
        compare(given, stopped)


def test_a_setting_that_was_not_there_is_what_it_was(stopped: Path, mark: Mark) -> None:
    rewritten(stopped, {"schedule": None})
    assert read_run(stopped).configuration.training.schedule == "cosine"
    mark("schedule", "constant")
    assert read_run(stopped).configuration.training.schedule == "constant"
    assert RunFolder(stopped).as_begun(read_configuration(options=COMMAND)).training.schedule == "constant"


def test_settings_of_arms_and_models_are_what_they_were(stopped: Path, mark: Mark) -> None:
    mark("hidden", 9)
    values = {name: value for name, value in COMMAND.items() if name != "global.hidden"}
    assert RunFolder(stopped).as_begun(read_configuration(options=values)).arms["global"]["hidden"] == 9
    assert RunFolder(stopped).as_begun(read_configuration(options=COMMAND)).arms["global"]["hidden"] == 5
    path = stopped / "fits" / "plain" / "0-0" / "model.json"
    model = json.loads(path.read_text())
    del model["arm_settings"]["temperature"]
    path.write_text(json.dumps(model))
    assert "temperature" not in FittedModel.load(path.parent).description.arm_settings


def test_this_version_keeps_its_own_defaults(stopped: Path, mark: Mark) -> None:
    mark("weight_decay", 0.0007)
    manifest = json.loads((stopped / "manifest.json").read_text())
    manifest["packages"]["foveola"] = foveola.__version__
    (stopped / "manifest.json").write_text(json.dumps(manifest))
    configuration = read_configuration(options=COMMAND)
    assert RunFolder(stopped).as_begun(configuration) is configuration
    assert RunFolder(stopped / "none").as_begun(configuration) is configuration


@pytest.mark.parametrize("kind", ["run", "model"])
def test_what_a_later_version_wrote_is_said_in_one_sentence(stopped: Path, kind: str) -> None:
    fit = stopped / "fits" / "plain" / "0-0"
    if kind == "run":
        manifest = json.loads((stopped / "manifest.json").read_text())
        manifest["packages"]["foveola"] = "9.3.0"
        (stopped / "manifest.json").write_text(json.dumps(manifest))
        rewritten(stopped, {"warmth": 3})
        ask: Callable[[], Any] = lambda: read_run(stopped)  # noqa: E731
    else:
        model = json.loads((fit / "model.json").read_text()) | {"written_by": "9.3.0", "warmth": 3}
        (fit / "model.json").write_text(json.dumps(model))
        ask = lambda: FittedModel.load(fit)  # noqa: E731
    now = re.escape(foveola.__version__)
    message = rf"a {kind} that foveola {now} can read, got one written by foveola 9\.3\.0"
    with pytest.raises(FoveolaError, match=message):
        ask()


def test_folders_of_another_kind_are_refused_with_the_version_that_wrote_them(stopped: Path) -> None:
    manifest = json.loads((stopped / "manifest.json").read_text())
    (stopped / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 1}))
    message = (
        r"a run folder of schema 2, got one of schema 1, written by foveola 0\.1\.0, in .*stopped; go on with that"
    )
    for ask in (lambda: read_run(stopped), lambda: compare(read_configuration(options=COMMAND), stopped)):
        with pytest.raises(FoveolaError, match=message):
            ask()
    assert isinstance(read_configuration(stopped / "run.yaml"), RunConfiguration)
