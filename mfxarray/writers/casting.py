"""Values brought to the type of a field of a file, or refused where they would become others."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["cast"]

Array = np.ndarray[Any, Any]


def cast(values: Array, dtype: np.dtype[Any], name: str, *, empty: bool = False) -> Array:
    """Return values in the type of a field.

    Parameters
    ----------
    values
        Numbers or flags.
    dtype
        Type of the field. Narrower floating types round.
    name
        The field, for the error.
    empty
        NaN in a field of whole numbers or flags becomes 0, as the vendor writes it for an
        iteration that was not executed.

    Raises
    ------
    ValueError
        If a whole number does not fit the type, or a fraction or NaN would become one.
    """
    if values.dtype == dtype:
        return values
    if dtype.kind in "iub" and values.dtype.kind == "f":
        values = _whole(values, name, empty)
    if dtype.kind in "iu" and not np.can_cast(values.dtype, dtype):
        _check_range(values, dtype, name)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(dtype)


def _whole(values: Array, name: str, empty: bool) -> Array:
    missing = np.isnan(values)
    if empty and missing.any():
        values = np.where(missing, 0, values)
        missing = np.zeros_like(missing)
    if missing.any() or not np.array_equal(np.rint(values), values):
        raise ValueError(
            f"field {name} holds fractions or NaN where the file has whole numbers; "
            "drop the variable, or fill it first"
        )
    return values


def _check_range(values: Array, dtype: np.dtype[Any], name: str) -> None:
    if not values.size:
        return
    low, high = values.min(), values.max()
    limits = np.iinfo(dtype)
    if low < limits.min or high > limits.max:
        raise ValueError(f"field {name} goes from {low} to {high}, {dtype} has no room for that")
