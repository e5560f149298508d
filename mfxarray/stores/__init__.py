"""Sealed Zarr and Parquet stores."""
