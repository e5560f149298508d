"""Statistics of many measurements as a table, one row a measurement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from mfxarray.minflux.rows import ROW
from mfxarray.minflux.sheet.sheet import statistics

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["statistics_table"]

# shown units and their sizes; others stay as they are
_UNITS = {"m": ("nm", 1e9)}


def statistics_table(
    sheets: Iterable[xr.Dataset], names: Sequence[str] | None = None, **parameters: Any
) -> pd.DataFrame:
    """Return a table with one row a measurement and one column a number, its unit in the name.

    Parameters
    ----------
    sheets
        Results of `mfxarray.minflux.sheet.sheet.statistics`, or localizations of which they
        are made here, one after the other.
    names
        Of the measurements, for the column ``name``; by default those of their files.
    **parameters
        For `statistics`.

    Returns
    -------
    pandas.DataFrame
        Lengths in nm, times in s, frequencies in Hz; ``sigma_x_median_nm`` for example. The last
        column, ``notes``, has what is as one would not expect.

    Raises
    ------
    ValueError
        If names and measurements are not equally many, or parameters are given with sheets.
    """
    import pandas as pd

    rows = [_row(sheet, parameters) for sheet in sheets]
    if names is not None and len(names) != len(rows):
        raise ValueError(f"{len(rows)} measurements need as many names, not {len(names)}")
    for number, row in enumerate(rows):
        if names is not None:
            row["name"] = names[number]
    return pd.DataFrame(rows)


def _row(sheet: xr.Dataset, parameters: dict[str, Any]) -> dict[str, Any]:
    if ROW in sheet.dims:
        sheet = statistics(sheet, **parameters)
    elif parameters:
        raise ValueError(f"sheets are made already; leave out {', '.join(parameters)}")
    if "fraction_valid" not in sheet:
        raise ValueError("give localizations, or results of statistics")
    wanted = [name for name, one in sheet.data_vars.items() if set(one.dims) <= {"axis"}]
    numbers = sheet[wanted].compute()
    found: dict[str, Any] = {"name": str(sheet.attrs.get("source_file", ""))}
    for name, one in numbers.data_vars.items():
        unit, size = _UNITS.get(one.attrs["units"], (one.attrs["units"], 1))
        ending = "" if unit == "1" else f"_{unit}"
        for axis in one["axis"].values.tolist() if "axis" in one.dims else [None]:
            value = one.item() if axis is None else one.sel(axis=axis).item()
            part = "" if axis is None else f"_{axis}"
            found[f"{name}{part}{ending}"] = value if unit == "1" else value * size
    return {**found, "notes": "; ".join(sheet.attrs.get("notes", []))}
