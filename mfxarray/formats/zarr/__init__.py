"""Zarr version 2 folders and zips as Imspector writes them."""
