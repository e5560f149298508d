"""The commands convert and unpack: from the format of an instrument to another one."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from mfxarray.commands.files import (
    check_output,
    client_of,
    open_data,
    open_ions,
    open_localizations,
    summary_of_output,
)
from mfxarray.errors import DataError
from mfxarray.jobs.progress import progress

__all__ = ["convert", "unpack_file"]

# words for a command line, for what `write_minflux` calls otherwise
_CONTAINERS = {"mat": "mat v5", "mat73": "mat v7.3", "zip": "zarr zip", "csv": "text"}
# endings of what the vendor's and other programs read
_VENDOR = (".npy", ".mat", ".json", ".msr", ".pmx", ".csv", ".zarr", ".zip")
_OTHERS = (".parquet", ".vtu", ".tif", ".tiff", ".nrrd", ".nc")


def unpack_file(arguments: Namespace) -> None:
    """Write the data sets of an .msr file as the zarr folders that Imspector unpacks."""
    from mfxarray.writers.unpack import unpack

    folders = unpack(
        arguments.file,
        arguments.out,
        dataset=arguments.dataset,
        overwrite=arguments.overwrite,
    )
    for folder in folders:
        print(summary_of_output(str(folder)))


def convert(arguments: Namespace) -> None:
    """Write everything that a file holds to a store, or to a vendor's format."""
    chosen = arguments.container or arguments.model
    out = check_output(arguments, *_VENDOR, *(() if chosen else _OTHERS))
    ending = Path(out).suffix.lower()
    if out.lower().endswith(".ome.zarr") or ending in (".tif", ".tiff", ".nrrd", ".nc"):
        _export(arguments, out)
    elif ending == ".vtu" or (ending == ".csv" and arguments.layout != "pyminflux"):
        _export_table(arguments, out)
    elif chosen or ending not in (".zarr", ".parquet"):
        _convert_to_vendor(arguments, out)
    else:
        _convert_to_store(arguments, out)
    print(summary_of_output(arguments.out))


def _convert_to_vendor(arguments: Namespace, out: str) -> None:
    from mfxarray.writers.write import write_minflux

    data = open_localizations(arguments)
    with client_of(arguments) as at, progress("writing", at):
        write_minflux(
            data,
            out,
            container=_CONTAINERS.get(arguments.container, arguments.container),
            model=arguments.model,
            overwrite=arguments.overwrite,
        )


def _export_table(arguments: Namespace, out: str) -> None:
    from mfxarray.stores.csv_table import write_csv
    from mfxarray.stores.vtu import write_vtu

    data: Any = open_data(arguments)
    if not {"localization", "trace"} & set(data.dims):
        raise DataError(
            "holds images, and these formats are for points",
            path=arguments.file,
            hint="Give an output that ends in .tif or .zarr.",
        )
    with client_of(arguments) as at, progress("writing", at):
        if out.lower().endswith(".vtu"):
            write_vtu(data, out, unit=arguments.unit, overwrite=arguments.overwrite)
        else:
            write_csv(data, out, layout=arguments.layout, overwrite=arguments.overwrite)


def _convert_to_store(arguments: Namespace, out: str) -> None:
    import xarray as xr

    from mfxarray.stores.parquet import write_parquet
    from mfxarray.stores.zarr_store import write_zarr

    data = open_data(arguments)
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


def _export(arguments: Namespace, out: str) -> None:
    """Write a file of another program; images only, but for NetCDF."""
    from mfxarray.stores.netcdf import write_netcdf
    from mfxarray.stores.nrrd import write_nrrd
    from mfxarray.stores.ome_zarr import write_ome_zarr
    from mfxarray.stores.tiff import write_tiff

    writers: dict[str, Any] = {".nc": write_netcdf, ".zarr": write_ome_zarr}
    ending = Path(out).suffix.lower()
    write = writers.get(ending, write_tiff)
    data = open_data(arguments) if ending == ".nc" else open_ions(arguments)
    with client_of(arguments) as at, progress("writing", at):
        if ending == ".nrrd":
            write_nrrd(out, data, overwrite=arguments.overwrite)
        else:
            write(data, out, overwrite=arguments.overwrite)
