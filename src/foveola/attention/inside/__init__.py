"""Attention layers that go between the layers of a backbone, one a file."""
