"""Halves of data and their rings."""
