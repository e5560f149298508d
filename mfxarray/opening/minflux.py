"""MINFLUX files of every container to labelled, lazy Datasets."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pandas as pd
import xarray as xr

from mfxarray.assemble import bead_tracks, dask_localizations
from mfxarray.formats.localizations import LocalizationFile, describe, model_of
from mfxarray.formats.openers import pick
from mfxarray.formats.row_facts import RowFacts
from mfxarray.formats.tables import Measurement, Table, is_stream
from mfxarray.opening.measurements import measurements_of

__all__ = ["list_minflux", "localization_file", "open_minflux", "open_minflux_tree", "tree_nodes"]

Path = str | os.PathLike[str]


def open_minflux(
    path: Path,
    *,
    dataset: str | None = None,
    records: bool = False,
    view: str = "valid",
    masked: bool = False,
    strict: bool = True,
    units: str | None = None,
    chunk_bytes: int | None = None,
) -> xr.Dataset:
    """Return the localizations of a MINFLUX file as a lazy Dataset.

    Parameters
    ----------
    path
        A file or folder of any container and generation: ``.npy``, ``.mat`` (5 and 7.3),
        ``.json``, unpacked zarr (folder or zip), ``.msr``, ``.pmx``, ``.npz``, csv or tab text.
        Its content decides, not its name.
    dataset
        Label (such as "P1") or id of the data set, where the file holds several.
    records
        Give the records of a flat file (Imspector m2410 and later) as they are, one for each
        executed iteration, along the dimension ``record``.
    view
        How flat records become localizations: "valid" leaves out invalid records first, "all"
        keeps them, for diagnostics; the groups differ.
    masked
        Make ``cfr`` NaN where it was not measured. By default the vendor's mark -1/32768 stays,
        because the means of other tools include it.
    strict
        Refuse incomplete files. If off, what is there is given with a warning, and
        ``attrs["missing_rows"]`` lists what is not.
    units
        Unit of the coordinates, "nm", "um" or "m", in text and npz files that do not tell.
    chunk_bytes
        Wished bytes of a block of records; `mfxarray.set_options` sets the default.

    Returns
    -------
    xarray.Dataset
        Dimensions ``localization``, ``iteration``, ``axis`` (x, y, z). SI units. z is as stored:
        `scale_z` scales it.

    Raises
    ------
    DataError
        If the file is damaged, truncated, of another format, or if it holds several data sets
        and none is named.

    Notes
    -----
    Reads less than 2 MB. JSON, text and compressed ``.mat`` files cannot be read in places; they
    are copied once, with bounded memory, into a cache beside the file (option ``cache_folder``).
    How many localizations a flat file holds is known after one pass over its ids; what the pass
    finds is kept in the cache as well.
    """
    wanted = pick(measurements_of(path, strict=strict, units=units), dataset)
    file = localization_file(wanted, records=records, view=view, strict=strict)
    return dask_localizations(file, masked=masked, chunk_bytes=chunk_bytes)


def open_minflux_tree(
    path: Path,
    *,
    records: bool = False,
    view: str = "valid",
    masked: bool = False,
    strict: bool = True,
    chunk_bytes: int | None = None,
) -> xr.DataTree:
    """Return all data sets of a MINFLUX file as a tree of lazy Datasets.

    Parameters
    ----------
    path, records, view, masked, strict, chunk_bytes
        See `open_minflux`.

    Returns
    -------
    xarray.DataTree
        One node for each data set, named by its label, whose attributes hold the sequence and
        the regions. Below it ``localizations`` and, where there are beads, ``beads`` (dimensions
        ``bead``, ``sample``, ``axis``; NaN after the last sample of a bead and where a sample
        failed). Localizations are lazy; beads, which are few, are read at once.

    Raises
    ------
    DataError
        If the file is damaged or no MINFLUX file.
    """
    nodes = tree_nodes(
        path,
        dask_localizations,
        records=records,
        view=view,
        masked=masked,
        strict=strict,
        chunk_bytes=chunk_bytes,
    )
    return xr.DataTree.from_dict(nodes)


def list_minflux(path: Path, *, strict: bool = True) -> pd.DataFrame:
    """Return a table of the data sets of a MINFLUX file, without reading their records.

    Parameters
    ----------
    path
        See `open_minflux`.
    strict
        Refuse incomplete files.

    Returns
    -------
    pandas.DataFrame
        Index ``dataset`` (the label); columns ``container``, ``model`` ("v1 nested" or
        "v2 flat"), ``records`` (missing where only reading tells), ``beads`` (whether there are
        any), ``did``, ``acquisition_date``.

    Raises
    ------
    DataError
        If the file is damaged or no MINFLUX file.
    """
    rows = [
        {
            "dataset": measurement.label,
            "container": measurement.container,
            "model": model_of(measurement.rows.dtype),
            "records": measurement.rows.n_rows,
            "beads": measurement.beads is not None,
            "did": measurement.attrs.get("did"),
            "acquisition_date": measurement.attrs.get("acquisition_date"),
        }
        for measurement in measurements_of(path, strict=strict)
    ]
    return pd.DataFrame(rows).astype({"records": "Int64"}).set_index("dataset")


def tree_nodes(
    path: Path,
    assemble: Callable[..., xr.Dataset],
    *,
    records: bool = False,
    view: str = "valid",
    masked: bool = False,
    strict: bool = True,
    chunk_bytes: int | None = None,
) -> dict[str, xr.Dataset]:
    """Return the nodes of `open_minflux_tree` by path, their arrays made by ``assemble``."""
    nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs={"source_file": os.path.basename(path)})}
    for measurement in measurements_of(path, strict=strict):
        file = localization_file(measurement, records=records, view=view, strict=strict)
        name = measurement.label.replace("/", "_")
        facts = ("data_set", "did", "acquisition_date", "measurement", "sequences", "rois")
        kept = {key: file.attrs[key] for key in facts if key in file.attrs}
        nodes[f"/{name}"] = xr.Dataset(attrs=kept)
        nodes[f"/{name}/localizations"] = assemble(file, masked=masked, chunk_bytes=chunk_bytes)
        if measurement.beads is not None:
            nodes[f"/{name}/beads"] = bead_tracks(measurement)
    return nodes


def localization_file(
    measurement: Measurement, *, records: bool, view: str, strict: bool
) -> LocalizationFile:
    """Return what is to be read: stored records, their cache, or regrouped localizations."""
    if view not in ("valid", "all"):
        raise ValueError(f'view must be "valid" or "all", not {view!r}')
    streamed = is_stream(measurement.rows)
    table, measurement = _reachable(measurement, strict)
    for message in measurement.warnings:
        warnings.warn(f"{measurement.source.path}: {message}", stacklevel=4)
    choices = {"dataset": measurement.label} if measurement.container == "msr" else {}
    if records or model_of(table.dtype) == "v1 nested":
        known = _known_facts(table, measurement) if streamed else None
        return replace(describe(measurement, table, facts=known), choices=choices)
    # nested files need none of this, and should not wait for it
    from mfxarray.records.index_cache import cached_localizations

    chosen: Literal["valid", "all"] = "all" if view == "all" else "valid"
    regrouped, facts = cached_localizations(table, measurement.source, chosen)
    file = describe(measurement, regrouped, stored=table.dtype, facts=facts)
    return replace(file, choices={**choices, "view": view})


def _known_facts(table: Table, measurement: Measurement) -> RowFacts:
    from mfxarray.records.facts_cache import cached_facts

    return cached_facts(table, measurement.source)


def _reachable(measurement: Measurement, strict: bool) -> tuple[Table, Measurement]:
    """Return the records as a table; what can only be streamed is cached first.

    What a stream has lost is known when it has been read, and is added to the measurement.
    """
    if not is_stream(measurement.rows):
        return measurement.rows, measurement  # type: ignore[return-value]  # so a Table
    # zarr, which the cache is made of, takes longer to import than a file to open
    from mfxarray.records.columns import spool

    table = spool(measurement, strict=strict)
    missing: tuple[tuple[int, int], ...] = getattr(table, "missing_rows", ())
    if not missing:
        return table, measurement
    text = f"is incomplete: only the first {table.n_rows} rows are there"
    notes = (*measurement.warnings, text)
    return table, replace(measurement, missing_rows=missing, warnings=notes)
