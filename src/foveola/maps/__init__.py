"""Numbers of attention maps: how well they find a known region, their average, size and summary."""
