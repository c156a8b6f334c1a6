"""Which settings to use: a search on validation images, and how much a score owes to one setting."""

from foveola.search.sensitivity import Sweep, published, sweep
from foveola.search.study import Search, is_study, read_study, search

__all__ = ["Search", "Sweep", "is_study", "published", "read_study", "search", "sweep"]
