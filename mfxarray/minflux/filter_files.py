"""Filters as small JSON files: conditions by name, in the order in which they are applied."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import mfxarray.minflux.trace_masks  # noqa: F401  its conditions can be in a file
from mfxarray.errors import DataError
from mfxarray.minflux.conditions import Condition

__all__ = ["condition_from_dict", "load_filters", "save_filters"]

_FORMAT = "mfxarray filters"
_MOST_BYTES = 1_000_000
_DEEPEST = 20


def save_filters(
    conditions: Mapping[str, Condition] | Iterable[tuple[str, Condition]],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> None:
    """Write conditions to a JSON file, from which `load_filters` makes the same again.

    Raises
    ------
    FileExistsError
        If the file is there and ``overwrite`` is not asked for.
    """
    steps = list(conditions.items() if isinstance(conditions, Mapping) else conditions)
    masks = [{"name": name, "condition": condition.to_dict()} for name, condition in steps]
    text = json.dumps({"format": _FORMAT, "version": 1, "masks": masks}, indent=1, allow_nan=False)
    with open(path, "w" if overwrite else "x", encoding="utf-8") as file:
        file.write(text + "\n")


def load_filters(path: str | os.PathLike[str]) -> list[tuple[str, Condition]]:
    """Return the conditions of a file by name, in their order.

    Raises
    ------
    DataError
        If the file is none of these, is damaged, or names an unknown kind of condition.
    """
    place = Path(path)
    if place.stat().st_size > _MOST_BYTES:
        raise DataError("file is too large to hold filters", path=place)
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"no JSON: {error}", path=place) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise DataError("file holds no filters", path=place, hint="Write it with save_filters.")
    if content.get("version") != 1:
        raise DataError(f"version {content.get('version')!r} of filters is unknown", path=place)
    masks = content.get("masks")
    if not isinstance(masks, list):
        raise DataError("file holds no list of masks", path=place)
    try:
        return [_step(entry) for entry in masks]
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"a filter cannot be read: {error}", path=place) from error


def _step(entry: Any) -> tuple[str, Condition]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ValueError("a mask needs a name and a condition")
    return entry["name"], condition_from_dict(entry.get("condition"))


def condition_from_dict(content: Any, *, depth: int = 0) -> Condition:
    """Return the condition that `mfxarray.minflux.conditions.Condition.to_dict` described.

    Raises
    ------
    ValueError
        If it describes none.
    """
    if not isinstance(content, dict) or content.get("kind") not in Condition.kinds:
        known = ", ".join(sorted(Condition.kinds))
        raise ValueError(f"a condition is an object whose kind is one of {known}")
    if depth > _DEEPEST:
        raise ValueError(f"conditions are nested more than {_DEEPEST} deep")
    made = Condition.kinds[content["kind"]]
    names = {part.name for part in fields(made)}  # type: ignore[arg-type]
    values = {name: value for name, value in content.items() if name != "kind"}
    unknown = sorted(set(values) - names)
    if unknown:
        raise ValueError(f"a condition of kind {content['kind']!r} has no {unknown[0]!r}")
    return made(**{name: _value(value, depth) for name, value in values.items()})


def _value(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return condition_from_dict(value, depth=depth + 1)
    if isinstance(value, list):
        return tuple(_value(part, depth + 1) for part in value)
    return value
