"""Attributes of Zarr groups and arrays of format 2."""

from __future__ import annotations

from typing import Any

from mfxarray.errors import DataError
from mfxarray.formats.json.text import parse_json
from mfxarray.formats.keys import KeyStore

__all__ = ["read_attrs"]

_BYTES_CAP = 4 * 2**20
# JSON text in JSON text in JSON text: what a program that kept settings as text may have made
_NESTING_CAP = 3


def read_attrs(keys: KeyStore, key: str) -> dict[str, Any]:
    """Return the attributes under a key, {} where there is no such key.

    Raises
    ------
    DataError
        If they are no JSON object, or larger than 4 MB.

    Notes
    -----
    Values that are JSON objects or lists written as text are read as such.
    """
    size = keys.size(key)
    if size is None:
        return {}
    path = keys.source.path
    if size > _BYTES_CAP:
        raise DataError(f"{size} bytes of attributes are too many", path=path, place=key)
    found = parse_json(keys.read(key), path=path, place=key)
    if not isinstance(found, dict):
        raise DataError(f"attributes are {str(found)[:40]}, no object", path=path, place=key)
    return {name: _unfolded(value, _NESTING_CAP) for name, value in found.items()}


def _unfolded(value: Any, budget: int) -> Any:
    """Return a value with the texts in it that are JSON objects or lists read."""
    if isinstance(value, dict):
        return {name: _unfolded(inner, budget) for name, inner in value.items()}
    if isinstance(value, list):
        return [_unfolded(inner, budget) for inner in value]
    if not budget or not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return _unfolded(parse_json(value, path=None, place=""), budget - 1)
    except DataError:
        return value  # text that only looks like it
