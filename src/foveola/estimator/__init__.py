"""Every arm as a classifier of scikit-learn."""

from foveola.estimator.classifier import AttentionClassifier

__all__ = ["AttentionClassifier"]
