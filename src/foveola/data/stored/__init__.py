"""Preprocessing, and the decoded images and masks that it leaves on disk."""
