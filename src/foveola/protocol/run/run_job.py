"""A comparison as a job: every fit is a task in the run folder, and any worker can do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from foveola.data import load_cohort
from foveola.data.stored.cache import fingerprint, prepared_images
from foveola.data.stored.mask_cache import prepared_masks
from foveola.execution import JobTask, Progress
from foveola.protocol.planning.plan import PlannedFit, plan
from foveola.protocol.run.fit import run_fit
from foveola.protocol.run.fit_data import FitData
from foveola.protocol.run.run_folder import RunFolder, read_splits
from foveola.protocol.settings.configuration import RunConfiguration

_DATA: dict[Path, FitData] = {}
"""What this process has loaded, by run folder; of one run at a time."""


@dataclass(frozen=True)
class RunJob:
    """The fits of a comparison.

    Attributes:
        folder: The run folder, opened.
        configuration: Resolved.
        splits: The split table.
        pixels: Where the decoded images lie; a machine that does not have them decodes them for itself.
        masks: Where the decoded masks lie, for images that have some.
    """

    folder: Path
    configuration: RunConfiguration
    splits: pd.DataFrame = field(repr=False, compare=False)
    pixels: Path | None = None
    masks: Path | None = None

    @cached_property
    def fits(self) -> dict[str, PlannedFit]:
        """The fits by the names of their tasks."""
        return {f"fits/{fit.name}": fit for fit in plan(self.configuration, self.splits)}

    @property
    def tasks(self) -> tuple[JobTask, ...]:
        """One task a fit."""
        return tuple(JobTask(name, tuple(f"fits/{need}" for need in fit.needs)) for name, fit in self.fits.items())

    def run(self, name: str, progress: Progress) -> None:
        """Makes one fit, or what is left of it."""
        run_fit(self.fits[name], self.configuration, self.data(), self.folder / name, progress)

    def data(self) -> FitData:
        """Returns the images, loaded when a process first needs them; those of a machine share the decoded ones."""
        if self.folder not in _DATA:
            cohort = load_cohort(self.configuration.data, label=self.configuration.label, bins=self.configuration.bins)
            needed = [self.pixels] if cohort.masks is None else [self.pixels, self.masks]
            if all(path is not None and path.is_file() for path in needed):
                arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in needed if path is not None]
            else:
                RunFolder(self.folder).check_data(fingerprint(cohort))
                arrays = [prepared_images(cohort, self.configuration.preprocessing)]
                if cohort.masks is not None:
                    arrays.append(prepared_masks(cohort, self.configuration.preprocessing))
            self.hold(FitData(cohort, arrays[0], self.splits, *arrays[1:]))
        return _DATA[self.folder]

    def hold(self, data: FitData) -> None:
        """Lets this process use data that are loaded already."""
        _DATA.clear()
        _DATA[self.folder] = data


def file_of(pixels: np.ndarray | None) -> Path | None:
    """Returns the file behind an array, if it is mapped into memory."""
    return Path(pixels.filename) if isinstance(pixels, np.memmap) and pixels.filename else None


def read_run(folder: Path) -> RunJob:
    """Returns the job of a run folder, finished or not, without loading its images.

    Raises:
        FoveolaError: If it is no run folder, or its files are damaged.
    """
    run = RunFolder(folder)
    run.check()
    return RunJob(folder, run.configuration(), read_splits(folder))
