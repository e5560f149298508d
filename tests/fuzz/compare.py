"""Whether what a damaged file gave is what the whole file holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

__all__ = ["difference", "wrong_rows"]

# they tell when and from where
_PRIVATE = ("provenance", "source_file")


def difference(found: xr.Dataset, whole: xr.Dataset) -> str | None:
    """Tell how a Dataset differs from that of the whole file, None if it does not."""
    if dict(found.sizes) != dict(whole.sizes):
        return f"with {dict(found.sizes)} of {dict(whole.sizes)}"
    if not found.equals(whole):
        names = [str(name) for name in whole.variables if not _same(found, whole, name, {})]
        return f"with other values in {', '.join(names)[:200]}"
    ours, theirs = _attrs(found), _attrs(whole)
    lost = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    return f"with other attributes {', '.join(lost)}" if lost else None


def wrong_rows(found: xr.Dataset, whole: xr.Dataset, told: bool) -> str | None:
    """Tell whether rows that are not said to be missing are other than in the whole file.

    ``told``: whether there was a warning that the end is missing; containers that do not count
    their rows cannot list those after the last.
    """
    dim = "record" if "record" in whole.dims else "localization"
    lost = found.attrs.get("missing_rows", [])
    here, there = found.sizes[dim], whole.sizes[dim]
    kept = np.ones(max(here, there), bool)
    for start, stop in lost:
        kept[start:stop] = False
    if (kept[here:there].any() and not told) or here > there:
        return f"{here} of {there} rows, {lost} are said to be missing"
    rows = {dim: np.flatnonzero(kept[:here])}
    wrong = [
        str(name)
        for name in found.variables
        if dim in found[name].dims and not _same(found, whole, name, rows)
    ]
    return f"rows that are there differ in {', '.join(wrong)[:200]}" if wrong else None


def _same(found: xr.Dataset, whole: xr.Dataset, name: Any, rows: dict[str, Any]) -> bool:
    if name not in whole.variables or name not in found.variables:
        return False
    ours, theirs = found[name].variable, whole[name].variable
    return bool(ours.isel(rows).equals(theirs.isel(rows)))


def _attrs(ds: xr.Dataset) -> dict[str, str]:
    return {key: str(value) for key, value in ds.attrs.items() if key not in _PRIVATE}
