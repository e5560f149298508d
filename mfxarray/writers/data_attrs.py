"""Attributes of a Dataset as the vendor's files hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mfxarray.writers.record_layout import parse_descr

__all__ = ["regions", "stored_record", "vendor_attrs"]

_KEPT = ("did", "acquisition_date", "measurement", "tms", "fld", "_legacy")


def stored_record(attrs: Mapping[Any, Any]) -> np.dtype[Any] | None:
    """Return the record of the file that the data were read from, None where it is not told.

    Raises
    ------
    ValueError
        If ``source_dtype`` describes no record.
    """
    text = attrs.get("source_dtype")
    return None if text is None else parse_descr(_parsed(text, "source_dtype"))


def vendor_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the attributes that the vendor stores, JSON texts parsed.

    Raises
    ------
    ValueError
        If ``measurement`` is text but no JSON.
    """
    found = {name: attrs[name] for name in _KEPT if name in attrs}
    if "measurement" in found:
        found["measurement"] = _parsed(found["measurement"], "measurement")
    return found


def regions(attrs: Mapping[Any, Any]) -> tuple[dict[str, Any], ...]:
    """Return the regions in ``rois``, a list or the JSON text of one.

    Raises
    ------
    ValueError
        If there is something else.
    """
    rois = _parsed(attrs.get("rois", []), "rois")
    if not isinstance(rois, list | tuple) or not all(isinstance(roi, dict) for roi in rois):
        raise ValueError(f"attrs['rois'] must be a list of regions, not {str(rois)[:60]!r}")
    return tuple(rois)


def _parsed(value: Any, name: str) -> Any:
    """Return an attribute that may be stored as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"attrs[{name!r}] is no JSON text: {error}") from error
