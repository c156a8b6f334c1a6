"""Which fits a run consists of, and which settings the inner folds choose."""
