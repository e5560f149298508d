"""Attributes and dtypes that survive a store: plain JSON values, numbers and text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.errors import DataError

__all__ = [
    "TEXT",
    "is_text",
    "load_json",
    "plain_attrs",
    "restore_text",
    "text_dtype",
    "text_kind",
    "text_list",
]

# variable-length text: fixed-width <U is four bytes a letter and no part of the Zarr 3 standard
TEXT = np.dtypes.StringDType()


def is_text(dtype: np.dtype[Any]) -> bool:
    """Tell whether an array of this dtype is stored as text."""
    return dtype.kind in "UOT" or not isinstance(dtype, np.dtype)


def text_dtype(variable: xr.Variable) -> str | None:
    """Return how a text variable is typed in memory ("<U5", "|O", "|T16"), None for numbers."""
    dtype = variable.dtype
    if not is_text(dtype):
        return None
    return dtype.str if isinstance(dtype, np.dtype) else "|O"


def restore_text(variable: xr.Variable, kind: object) -> xr.Variable:
    """Return a text variable with the dtype it had before it was stored; None changes nothing."""
    return variable if kind is None else variable.astype(text_kind(kind))


def text_kind(kind: object) -> np.dtype[Any]:
    """Return the dtype named by `text_dtype`; a name from a damaged file gives variable length."""
    if isinstance(kind, str) and re.fullmatch(r"[<>]U\d{1,4}|\|O", kind):
        return np.dtype(kind.replace(">", "<"))
    return TEXT


def text_list(values: np.ndarray[Any, Any], name: str) -> list[str]:
    """Return an array of text as a flat list.

    Raises
    ------
    ValueError
        If an entry is no text.
    """
    found = values.ravel().tolist()
    for value in found:
        if not isinstance(value, str):
            kind = type(value).__name__
            raise ValueError(f"{name} holds a {kind} among its text; convert it to text first")
    return found


def plain_attrs(attrs: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Return attributes as plain JSON values.

    Parameters
    ----------
    attrs
        Attributes of a Dataset or a variable.
    where
        What carries them, for the message.

    Raises
    ------
    ValueError
        If a value has no exact JSON form: NaN, infinity, bytes, dates, objects.
    """
    return {
        _key(key, where): _plain(value, f"{where}.attrs[{key!r}]") for key, value in attrs.items()
    }


def _key(key: Hashable, where: str) -> str:
    if isinstance(key, str):
        return key
    raise ValueError(f"{where}: attribute name {key!r} is no text; rename it before writing")


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(item, where) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(
            f"{where} is {value!r}, which JSON cannot hold; drop it or write it as text"
        )
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError(
        f"{where} is a {type(value).__name__}, which a store cannot hold; "
        "use text, numbers, lists or dictionaries of these"
    )


def load_json(text: bytes | str, path: object, kind: type[DataError] = DataError) -> dict[str, Any]:
    """Return the JSON object in ``text``.

    Raises
    ------
    DataError
        If it is no JSON object.
    """
    hint = "The store is damaged; write or copy it again."
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise kind(f"is not valid JSON: {error}", path=path, hint=hint) from error
    if not isinstance(found, dict):
        raise kind("holds no JSON object", path=path, hint=hint)
    return found
