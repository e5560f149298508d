"""Beads, and the washes that are brought together by them."""
