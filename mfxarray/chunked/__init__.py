"""Dask arrays only: chunk planning, cuts at trace bounds, reductions of fixed order."""
