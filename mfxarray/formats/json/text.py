"""Small JSON texts of files (attributes, sequences), parsed without surprises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mfxarray.errors import DataError

__all__ = ["check_depth", "parse_json"]

_DEPTH_CAP = 64
_BYTES_CAP = 64 * 2**20


def parse_json(text: bytes | str, *, path: object, place: str) -> Any:
    """Return the value of a JSON text of attributes.

    Parameters
    ----------
    text
        UTF-8 bytes or text.
    path, place
        File and place in it, for the error.

    Raises
    ------
    DataError
        If it is no JSON, nests deeper than 64 levels, repeats a key in one object, or is larger
        than 64 MB.

    Notes
    -----
    ``NaN`` and ``Infinity`` are accepted, because the vendor's software writes them.
    """
    if len(text) > _BYTES_CAP:
        raise DataError(f"{len(text)} bytes of attributes are too many", path=path, place=place)
    try:
        plain = text if isinstance(text, str) else text.decode("utf-8-sig")
        check_depth(plain, path=path, place=place)
        return json.loads(plain, object_pairs_hook=_without_repeats)
    except _RepeatedKeyError as error:
        raise DataError(f"key {error} is there twice", path=path, place=place) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"is no JSON: {error}", path=path, place=place) from error


def check_depth(text: str, *, path: object, place: str) -> None:
    """Raise DataError if brackets outside strings nest deeper than 64 levels."""
    # most texts are shallow: count brackets first, look at strings only where it matters
    if text.count("[") + text.count("{") <= _DEPTH_CAP:
        return
    depth, inside, skip = 0, False, False
    for letter in text:
        if skip:
            skip = False
        elif inside:
            skip, inside = letter == "\\", letter != '"'
        elif letter == '"':
            inside = True
        elif letter in "[{":
            depth += 1
            if depth > _DEPTH_CAP:
                message = f"JSON nests deeper than {_DEPTH_CAP} levels"
                raise DataError(message, path=path, place=place)
        elif letter in "]}":
            depth -= 1


class _RepeatedKeyError(Exception):
    """Not a ValueError, so that it is told apart from what json raises."""


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedKeyError(next(name for name in names if names.count(name) > 1))
    return found
