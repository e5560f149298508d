"""Filters as small JSON or TOML files: conditions by name, in the order of their application."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from uuid import uuid4

from mfxarray.errors import DataError
from mfxarray.minflux.filtering.conditions import Condition

__all__ = ["condition_from_dict", "load_filters", "save_filters"]

_FORMAT = "mfxarray filters"
_MOST_BYTES = 1_000_000
_DEEPEST = 20
_NONE = "none"


def save_filters(
    conditions: Mapping[str, Condition] | Iterable[tuple[str, Condition]],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> None:
    """Write conditions to a file, from which `load_filters` makes the same again.

    Parameters
    ----------
    conditions
        By name, in the order in which they are applied.
    path
        The file; TOML if it ends in ".toml", else JSON.
    overwrite
        Replace a file that is there.

    Raises
    ------
    FileExistsError
        If the file is there and ``overwrite`` is not asked for.
    """
    steps = list(conditions.items() if isinstance(conditions, Mapping) else conditions)
    masks = [{"name": name, "condition": condition.to_dict()} for name, condition in steps]
    target = Path(path)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists; give overwrite=True to replace it")
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    try:
        temporary.write_text(_text_of(masks, target), encoding="utf-8")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _text_of(masks: list[dict[str, Any]], target: Path) -> str:
    if target.suffix.lower() != ".toml":
        content = {"format": _FORMAT, "version": 1, "count": len(masks), "masks": masks}
        return json.dumps(content, indent=1, allow_nan=False) + "\n"
    lines = [f"format = {json.dumps(_FORMAT)}", "version = 1", f"count = {len(masks)}"]
    for mask in masks:
        lines += ["", "[[masks]]", *(f"{name} = {_toml(mask[name])}" for name in mask)]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Return a value as TOML, which has no word for None: left out, or "none" within a list."""
    if value is None:
        return json.dumps(_NONE)
    if isinstance(value, Mapping):
        parts = (f"{name} = {_toml(part)}" for name, part in value.items() if part is not None)
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    # strings, numbers and truth values are written as JSON has them
    return json.dumps(value, allow_nan=False)


def load_filters(path: str | os.PathLike[str]) -> list[tuple[str, Condition]]:
    """Return the conditions of a file by name, in their order.

    Parameters
    ----------
    path
        A file as `save_filters` writes it, or written by hand; TOML if it ends in ".toml".

    Raises
    ------
    DataError
        If the file is none of these, is damaged, or names an unknown kind of condition.
    """
    place = Path(path)
    if place.stat().st_size > _MOST_BYTES:
        raise DataError("file is too large to hold filters", path=place)
    kind, read = (
        ("TOML", tomllib.loads) if place.suffix.lower() == ".toml" else ("JSON", json.loads)
    )
    try:
        content = read(place.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"no {kind}: {error}", path=place) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise DataError("file holds no filters", path=place, hint="Write it with save_filters.")
    if content.get("version") != 1:
        raise DataError(f"version {content.get('version')!r} of filters is unknown", path=place)
    masks = content.get("masks")
    if not isinstance(masks, list):
        raise DataError("file holds no list of masks", path=place)
    # a TOML file that was cut between two masks looks whole
    if content.get("count", len(masks)) != len(masks):
        found = f"{len(masks)} of {content['count']!r} masks are there"
        raise DataError(f"file was cut: {found}", path=place)
    try:
        return [_step(entry) for entry in masks]
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"a filter cannot be read: {error}", path=place) from error


def _step(entry: Any) -> tuple[str, Condition]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ValueError("a mask needs a name and a condition")
    return entry["name"], condition_from_dict(entry.get("condition"))


def condition_from_dict(content: Any, *, depth: int = 0) -> Condition:
    """Return the condition that its ``to_dict`` described.

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
    return None if value == _NONE else value
