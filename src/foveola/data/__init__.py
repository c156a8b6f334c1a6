"""Data: sources of cohorts, and what is done to a cohort before a network sees it."""

from foveola.data.cohort import Cohort
from foveola.data.sources.load import load_cohort
from foveola.data.sources.source import SOURCES
from foveola.foundation.registry import import_members

import_members("foveola.data.sources")

__all__ = ["SOURCES", "Cohort", "load_cohort"]
