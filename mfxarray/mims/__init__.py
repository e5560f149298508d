"""Labelled, lazy operations on ion images."""
