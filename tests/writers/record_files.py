"""Small records of both models for the tests of the writers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype

SENTINEL = -1 / 32768
# (trace, first executed iteration, iterations executed), one a localization
LOCALIZATIONS = (
    (7, 0, 5),
    (7, 3, 2),
    (7, 3, 1),  # aborted
    (7, 3, 2),
    (9, 0, 3),  # aborted, ends its trace
    (10, 3, 2),  # a trace without its head
    (10, 3, 2),
)


def nested(k: int = 5, seed: int = 0, repeat: int = 1) -> np.ndarray:
    """Return localizations with NaN heads, aborts, and the sentinel where cfr is missing."""
    rng = np.random.default_rng(seed)
    table = [
        (tid + 100 * again, first, count)
        for again in range(repeat)
        for tid, first, count in LOCALIZATIONS
    ]
    rows = np.zeros(len(table), record_dtype(k))
    inner = rows["itr"]
    inner["itr"] = np.arange(k)
    steps = np.arange(k)
    ran = np.array([(steps >= first) & (steps < first + n) for _, first, n in table])
    for name in ("loc", "lnc", "ext"):
        inner[name] = rng.normal(size=(len(rows), k, 3)) * 1e-6
    for name in ("efo", "efc", "dcr", "fbg", "gvx", "lcy"):
        inner[name] = rng.random((len(rows), k))
    for name in ("loc", "lnc", "efo", "efc", "dcr"):
        inner[name][~ran] = np.nan
    inner["cfr"] = np.where(ran, rng.integers(-9, 9, ran.shape) / 8, SENTINEL)
    inner["eco"] = np.where(ran, rng.integers(1, 999, ran.shape), 0)
    inner["ecc"] = np.where(ran, rng.integers(0, 999, ran.shape), 0)
    inner["tic"] = np.cumsum(rng.integers(50, 10**6, ran.size)).reshape(ran.shape)
    rows["tim"] = inner["tic"][:, -1] * 25e-9
    rows["tid"] = [tid for tid, _, _ in table]
    rows["gri"] = rows["tid"] + 1
    rows["vld"] = ran[:, -1]
    rows["dos"], rows["sky"] = 255, 2
    return rows


def flat_by_hand(rows: np.ndarray) -> list[tuple[int, int, bool, bool, bool, int]]:
    """Return tid, itr, fnl, bot, eot, sta of every executed iteration, one after the other."""
    found = []
    for i, row in enumerate(rows):
        ran = [j for j, inner in enumerate(row["itr"]) if not np.isnan(inner["loc"][0])]
        for j in ran:
            begins = j == ran[0] and (i == 0 or rows[i - 1]["tid"] != row["tid"])
            stops = j == ran[-1] and (i == len(rows) - 1 or rows[i + 1]["tid"] != row["tid"])
            final = j == len(row["itr"]) - 1
            sta = (1 if final else 2) if row["vld"] else 0
            ends = stops and not row["vld"]
            found.append((int(row["tid"]), j, final, bool(begins), bool(ends), sta))
    return found


def flat(n_rows: int = 40, seed: int = 0) -> np.ndarray:
    """Return flat records whose every field differs from row to row."""
    rng = np.random.default_rng(seed)
    dtype = flat_record_dtype()
    rows = np.zeros(n_rows, dtype)
    for name in dtype.names or ():
        base, shape = dtype[name].base, dtype[name].shape
        if base.kind == "f":
            rows[name] = rng.random((n_rows, *shape))
        else:
            rows[name] = rng.integers(0, 2 if base.kind == "b" else 200, n_rows)
    return rows


def as_dataset(rows: np.ndarray, chunks: int | None = None) -> xr.Dataset:
    """Return flat records as a Dataset made by hand, narrow types widened."""
    variables = {}
    for name in rows.dtype.names or ():
        values, dims = rows[name], ("record",)
        attrs = {"source_name": name}
        if values.dtype in (np.dtype("<f2"), np.dtype("<u4")):
            attrs["source_dtype"] = values.dtype.str
            values = values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
        if values.ndim == 2:
            dims = ("record", "detector" if name == "dcr" else "axis")
        variables[name] = (dims, values, attrs)
    ds = xr.Dataset(variables, attrs={"format_version": "v2 flat", "z_scaling": 1.0})
    return ds if chunks is None else ds.chunk({"record": chunks})


def same_bytes(first: Path, second: Path) -> bool:
    return first.read_bytes() == second.read_bytes()
