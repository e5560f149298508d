"""NanoSIMS analyses that are no images, as labelled count rates."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.formats.im.attrs import name_detectors
from mfxarray.formats.im.header import Masses, iso_date
from mfxarray.formats.im.scans import ImScan, open_scan
from mfxarray.mims.header import ATTRIBUTE
from mfxarray.provenance import origin
from mfxarray.records.unpacked import unpacked

__all__ = ["open_mims_scan"]

Array = np.ndarray[Any, Any]
_SMALL = 64 * 2**20


def open_mims_scan(path: str | os.PathLike[str]) -> xr.Dataset:
    """Return the count rates of a NanoSIMS analysis that is no image.

    Parameters
    ----------
    path
        A depth profile (``.dp``), spot (``.is``), line scan (``.ls``), energy, mass or beam scan
        (``.e0s``, ``.hmr``, ``.sib``), or beam stability (``.bs``) file.

    Returns
    -------
    xarray.Dataset
        ``rate`` (detector, point) in counts per second as the instrument's software stored it,
        float64, NaN after the last point of a shorter trace; coordinates ``detector`` (unique),
        ``label``, ``mass``, ``points`` (how many each trace has), and ``time`` (s), ``voltage``
        (V) or ``radius`` (mm) along ``point``; along both where the traces differ in it.
        ``attrs["header"]`` is the whole header, see `mfxarray.read_mims_header`.

    Raises
    ------
    DataError
        If the file is an image, is damaged, or holds data of a layout that is not known; its
        header is readable all the same.

    Warns
    -----
    UserWarning
        If the file holds only a header, or something in it does not fit together.

    Notes
    -----
    Reads the file whole: such files have kilobytes.
    """
    scan = open_scan(unpacked(path))
    for message in scan.warnings:
        warnings.warn(f"{scan.source.path}: {message}", stacklevel=2)
    rate, abscissas = _arrays(scan)
    shared = _shared(scan, abscissas)
    axis, known = scan.axis, {"units": scan.axis.unit} if scan.axis.unit else {}
    points = [trace.points for trace in scan.traces] or [0] * len(rate)
    coords: dict[str, Any] = {
        **_detectors(scan, len(rate)),
        "points": ("detector", np.array(points, np.int64), {"long_name": "points of the trace"}),
        axis.name: (
            ("detector", "point") if shared is None else ("point",),
            abscissas if shared is None else shared,
            {"long_name": axis.meaning, **known},
        ),
    }
    about = {"units": "1/s", "long_name": "count rate"}
    return xr.Dataset({"rate": (("detector", "point"), rate, about)}, coords, _attrs(scan))


def _arrays(scan: ImScan) -> tuple[Array, Array]:
    longest = max((trace.points for trace in scan.traces), default=0)
    shape = (len(scan.traces) or len(scan.header.get("masses", ())), longest)
    # traces of one analysis are about as long as each other
    if 16 * shape[0] * shape[1] > max(8 * scan.source.size, _SMALL):
        raise DataError(
            f"holds traces of up to {longest} points, too different in length to be one analysis",
            path=scan.source.path,
            hint="The data are damaged.",
        )
    rate, abscissas = np.full(shape, np.nan), np.full(shape, np.nan)
    for number, trace in enumerate(scan.traces):
        abscissas[number, : trace.points], rate[number, : trace.points] = scan.read(number)
    return rate, abscissas


def _shared(scan: ImScan, abscissas: Array) -> Array | None:
    """Return the abscissas of the longest trace if all others start with the same, else None."""
    if not scan.traces:
        return np.empty(0)
    points = [trace.points for trace in scan.traces]
    longest = abscissas[int(np.argmax(points))]
    same = (
        np.array_equal(row[:n], longest[:n], equal_nan=True)
        for row, n in zip(abscissas, points, strict=True)
    )
    return longest if all(same) else None


def _detectors(scan: ImScan, count: int) -> dict[str, Any]:
    rows = scan.header.get("masses", [])
    whole = len(rows) == count and all("mass" in row for row in rows)
    named = name_detectors(_masses(rows) if whole else None, count, (None,) * count)
    return {
        "detector": [detector.name for detector in named],
        "label": ("detector", [detector.label for detector in named]),
        "mass": ("detector", np.array([d.mass for d in named], np.float64), {"units": "u"}),
    }


def _masses(rows: list[dict[str, Any]]) -> Masses:
    plain = (
        {
            "symbol": row.get("species", {}).get("label", ""),
            "mass_amu": row["mass"],
            "trolley_index": row.get("trolley", -1),
        }
        for row in rows
    )
    return Masses(tuple(plain), 0, "", 0, 0)


def _attrs(scan: ImScan) -> dict[str, Any]:
    definition = scan.header["definition"]
    found = {
        "analysis_kind": scan.header["analysis_kind"],
        "analysis_name": definition.get("analysis_name"),
        "date": iso_date(definition.get("date", ""), definition.get("time", "")),
        "sample": scan.header.get("sample", {}).get("sample"),
        ATTRIBUTE: json.dumps(scan.header, separators=(",", ":"), ensure_ascii=False),
        **origin("open_mims_scan", scan.source.describe(), {}),
    }
    return {key: value for key, value in found.items() if value is not None}
