"""Compressed and archived files."""
