"""Attention that makes a network of its own out of a backbone."""
