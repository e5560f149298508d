"""Compiled reading of JSON."""
