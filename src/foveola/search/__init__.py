"""Which settings to use: a search on validation images, and what a score owes to one setting."""

from foveola.search.search import Search, read_study, search

__all__ = ["Search", "read_study", "search"]
