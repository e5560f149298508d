"""Labelled, lazy operations on ion images."""

from __future__ import annotations

from typing import Any

__all__ = ["process"]


def __getattr__(name: str) -> Any:
    """Import the whole job when it is asked for; its module needs dask and xarray."""
    if name != "process":
        raise AttributeError(f"module 'mfxarray.mims' has no attribute {name!r}")
    from mfxarray.mims.job import process

    return process
