"""Pictures of a comparison's predicted masks, image by image, beside those of every observer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from foveola.attention import ARMS
from foveola.pictures.segmentations import masks_picture
from foveola.protocol.planning.plan import PlannedFit
from foveola.protocol.run.fit_data import FitData
from foveola.protocol.run.mask_predictions import PREDICTED_MASKS, mask_path, read_mask, scoring_grid
from foveola.protocol.run.run_folder import RunFolder
from foveola.protocol.settings.configuration import RunConfiguration

MOST = 12
"""Images of which there is a picture."""


def save_mask_pictures(
    run: RunFolder, planned: list[PlannedFit], data: FitData, configuration: RunConfiguration, predictions: pd.DataFrame
) -> None:
    """Writes ``pictures/SAMPLE.png`` for the first test images: the image, all observers, and each arm's first fit.

    Args:
        run: The run folder.
        planned: The fits that are tested.
        data: The images with their masks.
        configuration: Says on which grid the masks are.
        predictions: Rows of ``predictions.csv``; the Dice below a mask comes from there.
    """
    assert data.cohort.masks is not None
    observers, grid = data.cohort.masks.observers, scoring_grid(configuration, data)
    fold = min(fit.fold for fit in planned)
    first = {fit.arm: fit for fit in reversed(planned) if fit.fold == fold and not ARMS[fit.arm].human}
    arms = {arm: first[arm] for arm in configuration.arms if arm in first}
    dice = predictions.set_index(["sample", "arm", "fold", "seed"])["dice"]
    for row in data.rows("test", fold)[:MOST].tolist():
        sample = data.cohort.table["sample"].iloc[row]
        image = grid.image(row) if grid.stored is None else np.moveaxis(data.pixels[row], 0, -1)
        given = {name: grid.observed(row, number) for number, name in enumerate(observers)}
        reference = given.pop(observers[0])
        for arm, fit in arms.items():
            given[arm] = read_mask(mask_path(run.fit(fit) / PREDICTED_MASKS, sample))
        notes = {arm: f"Dice {dice[sample, arm, fit.fold, fit.seed]:.3f}" for arm, fit in arms.items()}
        masks_picture(
            mask_path(run.path / "pictures", sample),
            image,
            reference,
            given,
            reference_name=observers[0],
            title=sample,
            notes=notes,
        )
