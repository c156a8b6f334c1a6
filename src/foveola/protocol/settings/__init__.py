"""The configuration of a run, and the space of settings that a search tries."""
