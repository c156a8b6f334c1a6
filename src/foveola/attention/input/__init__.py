"""Attention in front of a network: one map for all images."""
