"""Where attention goes in a backbone: its places, levels and the shapes of their features."""
