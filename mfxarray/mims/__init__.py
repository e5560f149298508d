"""Labelled, lazy operations on ion images."""

from __future__ import annotations

from typing import Any

__all__ = ["mosaic", "process"]


def __getattr__(name: str) -> Any:
    """Import what is asked for; its module needs dask and xarray."""
    if name == "process":
        from mfxarray.mims.job import process

        return process
    if name == "mosaic":
        from mfxarray.mims.mosaics import mosaic

        return mosaic
    raise AttributeError(f"module 'mfxarray.mims' has no attribute {name!r}")
