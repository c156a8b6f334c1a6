"""Metrics of predictions: of labels, of probabilities, and of masks."""
