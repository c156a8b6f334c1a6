"""Writes down what a benchmark measured, where and when."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from foveola.foundation import atomic

RESULTS = Path(__file__).parent / "results"


def device_name() -> str:
    """Returns the GPU's name, or the processor's with the number of cores."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores"


def peak_mib() -> float:
    """Returns the most memory that this process has held, in MiB; what it was started from does not count."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def record(name: str, table: pd.DataFrame, note: str) -> None:
    """Prints a table and writes it to ``results/NAME.json``."""
    shown = Table(title=note, title_justify="left")
    for column in table.columns:
        shown.add_column(str(column), justify="left" if table[column].dtype == object else "right")
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row))
    Console().print(shown)
    content: dict[str, Any] = {
        "what": note,
        "date": datetime.date.today().isoformat(),
        "device": device_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "rows": table.astype(object).where(table.notna(), None).to_dict("records"),
    }
    atomic.write_json(RESULTS / f"{name}.json", content)
