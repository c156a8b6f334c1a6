"""The run folder and the fits in it."""
