"""Small nested records for the tests of the .npy reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mfxarray.formats.localizations import LocalizationFile, describe
from mfxarray.formats.npy.fields import record_dtype
from mfxarray.formats.npy.npy import open_npy

SENTINEL = -1 / 32768


def records(n: int = 40, k: int = 5, seed: int = 0) -> np.ndarray:
    """Return plausible records: ten rows a trace, NaN heads, sentinel where cfr is missing."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, record_dtype(k))
    nested = rows["itr"]
    nested["itr"] = np.arange(k)
    nested["loc"] = nested["lnc"] = rng.normal(size=(n, k, 3)) * 1e-6
    nested["cfr"] = SENTINEL
    nested["cfr"][:, k // 2] = rng.random(n)
    nested["tic"] = np.arange(n * k).reshape(n, k) + 1
    rows["tid"] = np.arange(n) // 10
    rows["tim"] = nested["tic"][:, -1] * 25e-9
    rows["vld"] = True
    return rows


def save(path: Path, rows: np.ndarray, version: tuple[int, int] | None = None) -> Path:
    with open(path, "wb") as file:
        np.lib.format.write_array(file, rows, version=version, allow_pickle=True)
    return path


def open_file(path: Path | str, *, strict: bool = True) -> LocalizationFile:
    """Return the described records of an .npy file."""
    (measurement,) = open_npy(path, strict=strict)
    return describe(measurement, measurement.rows)
