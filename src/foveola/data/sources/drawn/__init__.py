"""Drawn fundus photographs whose truth is known."""
