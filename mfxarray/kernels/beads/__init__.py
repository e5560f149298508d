"""Beads and their motion."""
