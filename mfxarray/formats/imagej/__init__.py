"""Regions of ImageJ `.roi` files and zips."""
