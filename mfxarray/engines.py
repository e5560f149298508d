"""xarray engines ``minflux`` and ``mims``: files to labelled, lazy Datasets.

xarray imports this module for every ``xr.open_dataset`` of every user, so nothing heavy is imported
before a file of ours is opened.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from xarray.backends import BackendEntrypoint

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from mfxarray.formats.im import ImFile
    from mfxarray.formats.localizations import LocalizationFile
    from mfxarray.formats.tables import Measurement, Table

__all__ = [
    "MimsBackendEntrypoint",
    "MinfluxBackendEntrypoint",
    "list_minflux",
    "open_mims",
    "open_minflux",
    "open_minflux_tree",
]

Path = str | os.PathLike[str]


class MinfluxBackendEntrypoint(BackendEntrypoint):
    """Open MINFLUX localizations as a Dataset (localization, iteration, axis).

    With ``chunks={}`` the chunks are cut at trace bounds, as `open_minflux` cuts them. xarray wraps
    what an engine gives variable by variable, so each field reads the records for itself;
    `open_minflux` gives the same Dataset with one read a block for all fields.
    """

    description = "MINFLUX localizations (.npy, .mat, .json, .zarr, .msr, .pmx)"
    supports_groups = True
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj",
        "drop_variables",
        "dataset",
        "records",
        "view",
        "masked",
        "strict",
        "units",
        "chunk_bytes",
    )

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: Path,
        *,
        drop_variables: str | Iterable[str] | None = None,
        dataset: str | None = None,
        records: bool = False,
        view: str = "valid",
        masked: bool = False,
        strict: bool = True,
        units: str | None = None,
        chunk_bytes: int | None = None,
    ) -> xr.Dataset:
        """Return the localizations; see `open_minflux`."""
        from mfxarray.assemble import lazy_localizations
        from mfxarray.formats.openers import open_measurements, pick

        wanted = pick(open_measurements(filename_or_obj, strict=strict, units=units), dataset)
        file = _localization_file(wanted, records=records, view=view, strict=strict)
        found = lazy_localizations(file, masked=masked, chunk_bytes=chunk_bytes)
        return found if drop_variables is None else found.drop_vars(drop_variables)

    def open_groups_as_dict(  # type: ignore[override]
        self,
        filename_or_obj: Path,
        *,
        drop_variables: str | Iterable[str] | None = None,
        **options: Any,
    ) -> dict[str, xr.Dataset]:
        """Return the nodes of the tree; see `open_minflux_tree`."""
        from mfxarray.assemble import lazy_localizations

        nodes = _tree_nodes(filename_or_obj, lazy_localizations, **options)
        if drop_variables is not None:
            names = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables)
            nodes = {key: node.drop_vars(names, errors="ignore") for key, node in nodes.items()}
        return nodes

    def open_datatree(  # type: ignore[override]
        self, filename_or_obj: Path, **options: Any
    ) -> xr.DataTree:
        """Return the tree of all data sets; see `open_minflux_tree`."""
        import xarray as xr

        return xr.DataTree.from_dict(self.open_groups_as_dict(filename_or_obj, **options))

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Tell by its first bytes whether this is a MINFLUX file; never raises."""
        from mfxarray.formats.sniff import looks_like_minflux

        return looks_like_minflux(filename_or_obj)


class MimsBackendEntrypoint(BackendEntrypoint):
    """Open a NanoSIMS stack as a Dataset with the variable ``counts`` (frame, detector, y, x)."""

    description = "Cameca NanoSIMS image stacks (.im)"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj",
        "drop_variables",
        "roll",
        "chunk_bytes",
    )

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: Path,
        *,
        drop_variables: str | Iterable[str] | None = None,
        roll: tuple[int, int] | str = (0, 0),
        chunk_bytes: int | None = None,
    ) -> xr.Dataset:
        """Return the stack; see `open_mims`."""
        from mfxarray.assemble import lazy_ion_images

        counts = lazy_ion_images(_open_im(filename_or_obj, roll), chunk_bytes=chunk_bytes)
        found = counts.to_dataset(name="counts")
        return found if drop_variables is None else found.drop_vars(drop_variables)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Tell by its first bytes whether this is a NanoSIMS file; never raises."""
        from mfxarray.formats.sniff import looks_like_mims

        return looks_like_mims(filename_or_obj)


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
    Reads less than 4 MB. JSON, text and compressed ``.mat`` files cannot be read in places; they
    are copied once, with bounded memory, into a cache beside the file (option ``cache_folder``).
    How many localizations a flat file holds is known after one pass over its ids; what the pass
    finds is kept in the cache as well.
    """
    from mfxarray.assemble import dask_localizations
    from mfxarray.formats.openers import open_measurements, pick

    wanted = pick(open_measurements(path, strict=strict, units=units), dataset)
    file = _localization_file(wanted, records=records, view=view, strict=strict)
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
    import xarray as xr

    from mfxarray.assemble import dask_localizations

    nodes = _tree_nodes(
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
    import pandas as pd

    from mfxarray.formats.localizations import model_of
    from mfxarray.formats.openers import open_measurements

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
        for measurement in open_measurements(path, strict=strict)
    ]
    return pd.DataFrame(rows).astype({"records": "Int64"}).set_index("dataset")


def _tree_nodes(
    path: Path,
    assemble: Callable[..., xr.Dataset],
    *,
    records: bool = False,
    view: str = "valid",
    masked: bool = False,
    strict: bool = True,
    chunk_bytes: int | None = None,
) -> dict[str, xr.Dataset]:
    import xarray as xr

    from mfxarray.assemble import bead_tracks
    from mfxarray.formats.openers import open_measurements

    nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs={"source_file": os.path.basename(path)})}
    for measurement in open_measurements(path, strict=strict):
        file = _localization_file(measurement, records=records, view=view, strict=strict)
        name = measurement.label.replace("/", "_")
        facts = ("data_set", "did", "acquisition_date", "measurement", "sequences", "rois")
        kept = {key: file.attrs[key] for key in facts if key in file.attrs}
        nodes[f"/{name}"] = xr.Dataset(attrs=kept)
        nodes[f"/{name}/localizations"] = assemble(file, masked=masked, chunk_bytes=chunk_bytes)
        if measurement.beads is not None:
            nodes[f"/{name}/beads"] = bead_tracks(measurement)
    return nodes


def _localization_file(
    measurement: Measurement, *, records: bool, view: str, strict: bool
) -> LocalizationFile:
    """Return what is to be read: stored records, their cache, or regrouped localizations."""
    from dataclasses import replace

    from mfxarray.formats.localizations import describe, model_of

    if view not in ("valid", "all"):
        raise ValueError(f'view must be "valid" or "all", not {view!r}')
    table, measurement = _reachable(measurement, strict)
    for message in measurement.warnings:
        warnings.warn(f"{measurement.source.path}: {message}", stacklevel=4)
    choices = {"dataset": measurement.label} if measurement.container == "msr" else {}
    if records or model_of(table.dtype) == "v1 nested":
        return replace(describe(measurement, table), choices=choices)

    from mfxarray.records.index_cache import cached_index
    from mfxarray.records.regroup import Regrouped

    index = cached_index(table, measurement.source, "all" if view == "all" else "valid")
    regrouped = Regrouped(table, index)
    file = describe(measurement, regrouped, stored=table.dtype, windows=4)
    return replace(file, choices={**choices, "view": view})


def _reachable(measurement: Measurement, strict: bool) -> tuple[Table, Measurement]:
    """Return the records as a table; what can only be streamed is cached first.

    What a stream has lost is known when it has been read, and is added to the measurement.
    """
    from dataclasses import replace

    from mfxarray.records.columns import spool

    table = spool(measurement, strict=strict)
    missing: tuple[tuple[int, int], ...] = getattr(table, "missing_rows", ())
    if not missing:
        return table, measurement
    text = f"is incomplete: only the first {table.n_rows} rows are there"
    notes = (*measurement.warnings, text)
    return table, replace(measurement, missing_rows=missing, warnings=notes)


def open_mims(
    path: Path, *, roll: tuple[int, int] | str = (0, 0), chunk_bytes: int | None = None
) -> xr.DataArray:
    """Return the ion counts of a NanoSIMS stack as a lazy DataArray.

    Parameters
    ----------
    path
        An ``.im`` file of an image analysis.
    roll
        Pixels (dy, dx) by which every image is rolled, to mend the acquisition's edge glitch;
        "seed" is (1, 1).
    chunk_bytes
        Wished bytes of a block of frames; `mfxarray.set_options` sets the default.

    Returns
    -------
    xarray.DataArray
        Counts (frame, detector, y, x). ``y`` and ``x`` are pixel centres in micrometres.

    Raises
    ------
    DataError
        If the file is damaged or of another kind.

    Warns
    -----
    UserWarning
        If the file holds more or fewer frames than its header says, or none.
    """
    from mfxarray.assemble import dask_ion_images

    return dask_ion_images(_open_im(path, roll), chunk_bytes=chunk_bytes)


def _open_im(path: Path, roll: tuple[int, int] | str) -> ImFile:
    from mfxarray.formats.im import open_im

    file = open_im(path, roll=roll)
    for message in file.warnings:
        warnings.warn(f"{file.stack.file.path}: {message}", stacklevel=3)
    return file
