"""Published datasets, one a file, each read in the layout in which it is published."""
