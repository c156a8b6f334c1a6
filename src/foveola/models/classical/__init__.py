"""Classical baselines as arms: networks whose parameters scikit-learn finds.

They are the mark that attention must beat. Each is an ordinary network, so that it is saved, loaded, exported and asked
for predictions like any other arm's.
"""
