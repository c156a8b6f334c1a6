"""Attention maps: how well they find a known region, their average over fits, and pictures of them."""
