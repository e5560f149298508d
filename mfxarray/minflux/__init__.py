"""Labelled, lazy operations on localization Datasets."""
