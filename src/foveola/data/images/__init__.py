"""Images and masks, read from files or arrays."""
