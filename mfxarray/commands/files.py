"""What the commands share: inputs opened by content, outputs that are not overwritten by chance."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfxarray.errors import DataError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pandas as pd
    import xarray as xr
    from distributed import Client
    from matplotlib.figure import Figure

__all__ = [
    "PICTURES",
    "bounds_of",
    "check_output",
    "client_of",
    "open_data",
    "open_ions",
    "open_localizations",
    "picture_of",
    "save_picture",
    "summary_of_output",
    "write_table",
]


PICTURES = (".png", ".pdf", ".svg")
_IONS = ("im", "packed im", "nrrd")


def open_data(
    arguments: Namespace, *, roll: tuple[int, int] | str = (0, 0)
) -> xr.Dataset | xr.DataArray:
    """Return what the file or store of a command holds; what it is, its content decides.

    Raises
    ------
    DataError
        If it is nothing that mfxarray reads, or damaged.
    ValueError
        If an option is given that has no meaning for the file.
    """
    from mfxarray.formats.sniff import sniff
    from mfxarray.opening.mims import open_mims

    path = arguments.file
    kind = sniff(path)
    chosen = _chosen(arguments)
    if kind in (*_IONS, "zarr", "parquet") and chosen:
        names = ", ".join(f"--{name}" for name in chosen)
        raise ValueError(f"{names}: only for MINFLUX files, and {path} is none")
    if kind in _IONS:
        return open_mims(path, roll=roll)
    if kind == "zarr":
        return _open_store(path)
    if kind == "parquet":
        from mfxarray.stores.parquet import open_parquet

        return open_parquet(path)
    return _open_minflux(path, chosen)


def open_localizations(arguments: Namespace) -> xr.Dataset:
    """Return localizations.

    Raises
    ------
    DataError
        Also if the file holds something else.
    """
    data = open_data(arguments)
    if "localization" not in data.dims:
        raise DataError(f"holds {_what(data)}, not MINFLUX localizations", path=arguments.file)
    return data  # type: ignore[return-value]


def open_ions(arguments: Namespace, *, roll: tuple[int, int] | str = (0, 0)) -> xr.DataArray:
    """Return ion images (frame, detector, y, x).

    Raises
    ------
    DataError
        Also if the file holds something else.
    """
    data = open_data(arguments, roll=roll)
    if not {"frame", "detector", "y", "x"} <= set(data.dims):
        raise DataError(f"holds {_what(data)}, not a stack of ion images", path=arguments.file)
    return data  # type: ignore[return-value]


def bounds_of(arguments: Namespace) -> dict[str, tuple[float | None, float | None]]:
    """Return the bounds of --bound, one a field.

    Raises
    ------
    ValueError
        If a field is bounded twice.
    """
    names = [name for name, _ in arguments.bound]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"--bound {name} is given {names.count(name)} times; give it once")
    return dict(arguments.bound)


def client_of(arguments: Namespace) -> AbstractContextManager[Client | None]:
    """Return the place where dask computes, as --cluster, --workers and --memory-limit say."""
    from mfxarray.jobs.clients import client

    return client(arguments.cluster, workers=arguments.workers, memory_limit=arguments.memory_limit)


def check_output(arguments: Namespace, *endings: str) -> str:
    """Return the path to write, if it may be written.

    Raises
    ------
    DataError
        If it exists and --overwrite is not given, is the input, or has none of the endings.
    """
    path = Path(arguments.out)
    if endings and path.suffix.lower() not in endings:
        raise DataError(
            f"must end in {' or '.join(endings)}", path=path, hint="The ending names the format."
        )
    if not Path(os.path.abspath(path)).parent.is_dir():
        raise DataError("its folder does not exist", path=path, hint="Create the folder first.")
    source = getattr(arguments, "file", None)
    if (
        source is not None
        and os.path.exists(source)
        and os.path.realpath(source) == os.path.realpath(path)
    ):
        raise DataError("is the input", path=path, hint="Give another path.")
    if os.path.lexists(path) and not arguments.overwrite:
        hint = "Give another path, or --overwrite to replace it."
        raise DataError("exists already", path=path, hint=hint)
    return str(path)


def picture_of(arguments: Namespace) -> str | None:
    """Return the path of --picture, if it may be written; to be asked before the long work.

    Raises
    ------
    DataError
        As `check_output`.
    """
    if arguments.picture is None:
        return None
    return check_output(Namespace(**{**vars(arguments), "out": arguments.picture}), *PICTURES)


def save_picture(figure: Figure, path: str) -> None:
    """Write a picture and say so."""
    from mfxarray import plot

    plot.save(figure, path)
    print(summary_of_output(path))


def write_table(rows: pd.DataFrame, path: str, *, overwrite: bool) -> None:
    """Write a table in memory as one csv or, by its ending, Parquet file, complete or not at all.

    Raises
    ------
    DataError
        If the file exists and ``overwrite`` is off.
    """
    from mfxarray.writers.replacing import replacing

    with replacing(path, overwrite=overwrite) as file:
        if path.lower().endswith(".parquet"):
            rows.to_parquet(file, index=False)
        else:
            file.write(rows.to_csv(index=False).encode())


def summary_of_output(path: str) -> str:
    """Return one line that says what was written and how large it is."""
    from mfxarray.display import size_text

    place = Path(path)
    files = [place] if place.is_file() else [item for item in place.rglob("*") if item.is_file()]
    return f"wrote {place} ({size_text(sum(item.stat().st_size for item in files))})"


def _chosen(arguments: Namespace) -> dict[str, Any]:
    """Return the options for opening that were given."""
    names = ("dataset", "view", "units", "partial")
    found = {name: getattr(arguments, name, None) for name in names}
    return {name: value for name, value in found.items() if value}


def _open_minflux(path: str, chosen: dict[str, Any]) -> xr.Dataset:
    from mfxarray.opening.minflux import open_minflux
    from mfxarray.options import set_options

    options = {name: value for name, value in chosen.items() if name != "partial"}
    # a conversion may take minutes; whoever waits at a terminal is told how far it is
    with set_options(progress=sys.stderr.isatty()):
        return open_minflux(path, strict="partial" not in chosen, **options)


def _open_store(path: str) -> xr.Dataset | xr.DataArray:
    from mfxarray.stores.seal import check_sealed
    from mfxarray.stores.zarr_store import open_zarr, open_zarr_array

    is_array = check_sealed(path, kind="zarr").extra.get("array") is not None
    return open_zarr_array(path) if is_array else open_zarr(path)


def _what(data: xr.Dataset | xr.DataArray) -> str:
    if "localization" in data.dims:
        return "MINFLUX localizations"
    if "trace" in data.dims:
        return "MINFLUX traces"
    return f"data with the dimensions {', '.join(map(str, data.dims))}"
