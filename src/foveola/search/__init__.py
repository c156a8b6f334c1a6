"""Which settings to use: a search on validation images, and how much a score owes to one setting."""

from foveola.search.sensitivity import Sweep, published, sweep
from foveola.search.study import Search, read_study, search

__all__ = ["Search", "Sweep", "published", "read_study", "search", "sweep"]
