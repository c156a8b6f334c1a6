"""Tests of whether two or more arms differ, one design a file."""
