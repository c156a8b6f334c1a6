"""Which settings to use: a search on validation images, and how much a score owes to one setting."""

from foveola.search.search import Search, read_study, search
from foveola.search.sweep import Sweep, published, sweep

__all__ = ["Search", "Sweep", "published", "read_study", "search", "sweep"]
