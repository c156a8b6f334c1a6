"""Prediction for a model whose labels were cut from a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from foveola.comparison import fit_model
from foveola.inference.prediction import predict
from foveola.protocol import read_configuration


def test_the_rows_of_fit_come_back_with_their_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["file,md,age"]
    for index in range(23):
        Image.fromarray(rng.integers(0, 255, (20, 16), dtype=np.uint8)).save(tmp_path / f"{index}.png")
        rows.append(f"{index}.png,{-(index % 20)},{index}")
    (tmp_path / "eyes.csv").write_text("\n".join(rows) + "\n")
    options = {"data": str(tmp_path), "label": "md", "bins": [-12, -6], "arms": ["global"], "backbone": "small-cnn"}
    small = ["training.epochs=1", "preprocessing.image_size=12", "global.hidden=4"]
    fit_model(read_configuration(options=options, assignments=small), tmp_path / "model")
    assert predict(tmp_path / "model", str(tmp_path), tmp_path / "all.csv") == 23
    fitted = (tmp_path / "model" / "predictions.csv").read_text().splitlines()
    predicted = (tmp_path / "all.csv").read_text().splitlines()
    assert len(fitted) > 3
    assert set(fitted) <= set(predicted)
    assert "md >= -6" in {row.split(",")[5] for row in predicted}
