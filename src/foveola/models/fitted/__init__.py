"""Fitted models on disk, and how they predict: scaling, windows and test-time views."""
