"""The command convert: a file of an instrument, or a store of ours, to Zarr or Parquet."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from mfxarray.commands.files import check_output, client_of, open_data, summary_of_output
from mfxarray.errors import DataError
from mfxarray.jobs.progress import progress

__all__ = ["convert"]


def convert(arguments: Namespace) -> None:
    """Write everything that a file holds to a Zarr or Parquet store."""
    import xarray as xr

    from mfxarray.stores.parquet import write_parquet
    from mfxarray.stores.zarr_store import write_zarr

    out = check_output(arguments, ".zarr", ".parquet")
    data = open_data(arguments.file)
    table = Path(out).suffix.lower() == ".parquet"
    if table and (isinstance(data, xr.DataArray) or not {"localization", "trace"} & set(data.dims)):
        raise DataError(
            "holds images, and Parquet is for tables",
            path=arguments.file,
            hint="Give an output that ends in .zarr.",
        )
    with (
        client_of(arguments) as at,
        progress("writing", at),
    ):
        if table:
            write_parquet(data, out, overwrite=arguments.overwrite)  # type: ignore[arg-type]
        else:
            write_zarr(data, out, overwrite=arguments.overwrite)
    print(summary_of_output(out))
