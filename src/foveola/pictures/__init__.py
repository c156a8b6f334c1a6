"""All drawing: maps, overlays, masks and curves."""
