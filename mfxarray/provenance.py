"""The record of steps that every result carries in ``attrs["provenance"]``.

A record holds what was done, with which parameters, by which version, and to what. It holds no
time of day and nothing that depends on chunks, so two runs of the same job carry the same record.
It is kept as one JSON text because that survives Zarr, Parquet and netCDF alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping
from typing import Any

from mfxarray._version import __version__

__all__ = ["ATTRIBUTE", "digest", "history", "identity", "origin", "record", "was_done"]

ATTRIBUTE = "provenance"


def history(attrs: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Return the recorded steps, oldest first; an empty list where nothing is recorded."""
    return list(json.loads(attrs.get(ATTRIBUTE, "[]")))


def was_done(attrs: Mapping[Any, Any], step: str) -> bool:
    """Tell whether a step of that name is in the record."""
    return any(entry["step"] == step for entry in history(attrs))


def digest(value: object) -> str:
    """Return a short hash of a JSON-able value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def identity(attrs: Mapping[Any, Any]) -> str:
    """Return the identity of a result: the hash of all that was done to get it."""
    return digest(history(attrs))


def origin(step: str, source: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return attrs with the first entry of a record: how the data were opened or made."""
    entry = {
        "step": step,
        "parameters": _plain(parameters),
        "version": __version__,
        "source": _plain(source),
    }
    return {ATTRIBUTE: json.dumps([entry], sort_keys=True)}


def record(
    attrs: Mapping[Any, Any],
    step: str,
    parameters: Mapping[str, Any],
    *,
    others: Mapping[str, Mapping[Any, Any]] | None = None,
) -> dict[Hashable, Any]:
    """Return a copy of ``attrs`` with one more step in its record.

    Parameters
    ----------
    attrs
        Attributes of the input.
    step
        Name of the operation.
    parameters
        Its parameters, JSON-able.
    others
        Attributes of further inputs (a mask, shifts); their whole record is kept by identity
        and steps.
    """
    entry: dict[str, Any] = {
        "step": step,
        "parameters": _plain(parameters),
        "version": __version__,
        "input": identity(attrs),
    }
    if others:
        entry["others"] = {name: history(other) for name, other in others.items()}
    return {**attrs, ATTRIBUTE: json.dumps([*history(attrs), entry], sort_keys=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    return value.item() if hasattr(value, "item") else str(value)
