"""The accessors ``ds.mfx`` and ``da.mims``: names only, every method hands over to its function."""

from __future__ import annotations

from mfxarray.accessors.mims import CountsAccessor, MimsAccessor
from mfxarray.accessors.minflux import MfxAccessor

__all__ = ["CountsAccessor", "MfxAccessor", "MimsAccessor"]
