"""Circles, their order, centre lines."""
