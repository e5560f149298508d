"""Mixtures of one field and labels by them."""
