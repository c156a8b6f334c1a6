"""Residual attention blocks: a gate, self-attention, and joint attention, the sum of both."""
