"""Pure functions on numpy arrays: no dask, no xarray, no files."""
