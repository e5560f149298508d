"""Drift without beads, by windows of time."""
