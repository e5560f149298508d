"""JSON records that tests of formats and writers share, and the way back to arrays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mfxarray.formats.json.minflux import open_json
from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from mfxarray.formats.tables import Measurement

__all__ = ["flat_records", "nested_records", "read_all", "same", "saved", "table"]


def _filled(dtype: np.dtype, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, dtype)
    for name in dtype.names or ():
        base = dtype[name].base
        shape = rows[name].shape
        if base.names:
            rows[name] = _filled(base, int(np.prod(shape)), seed + 1).reshape(shape)
        elif base.kind == "f":
            rows[name] = rng.normal(0, 1e-6 if base.itemsize == 8 else 100, shape)
        elif base.kind == "b":
            rows[name] = rng.random(shape) < 0.5
        else:
            rows[name] = rng.integers(0, 100, shape)
    return rows


def nested_records(n: int, n_iterations: int = 3, seed: int = 0) -> np.ndarray:
    """Return nested records with NaN and infinite values among them."""
    rows = _filled(record_dtype(n_iterations), n, seed)
    rows["itr"]["loc"][::3, 0] = np.nan
    rows["itr"]["efc"][::4] = -np.inf
    rows["itr"]["ecc"][::2] *= -1
    rows["itr"]["tic"][:] += 2**40
    return rows


def flat_records(n: int, seed: int = 0) -> np.ndarray:
    """Return flat records with NaN and infinite values among them."""
    rows = _filled(flat_record_dtype(), n, seed)
    rows["efc"][::3] = np.nan
    rows["efo"][::5] = np.inf
    return rows


def as_objects(rows: np.ndarray) -> list:
    """Return records as plain Python objects, by the slowest and plainest way."""
    if rows.dtype.names is None:
        return rows.tolist()
    if rows.ndim > 1:
        return [as_objects(row) for row in rows]
    return [
        {
            name: as_objects(row[name]) if row.dtype[name].subdtype else row[name].item()
            for name in rows.dtype.names
        }
        for row in rows
    ]


def saved(folder: Path, content: object, **settings) -> Path:
    """Write text, bytes, records or anything that json takes."""
    path = folder / "data.json"
    if isinstance(content, np.ndarray):
        content = as_objects(content)
    if not isinstance(content, str | bytes):
        content = json.dumps(content, **settings)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def table(measurement: Measurement) -> np.ndarray:
    """Return all rows of a stream as one structured array."""
    rows = measurement.rows
    parts: dict[tuple[str, ...], list[np.ndarray]] = {}
    last = 0.0
    for done, piece in rows.pieces():
        assert last <= done <= 1.0
        last = done
        assert piece.index == ()
        assert piece.values.flags.c_contiguous
        assert piece.start == sum(map(len, parts.get(piece.path, ())))
        parts.setdefault(piece.path, []).append(piece.values)
    count = sum(map(len, next(iter(parts.values())))) if parts else 0
    out = np.zeros(count, rows.dtype)
    for path, values in parts.items():
        field = out
        for name in path:
            field = field[name]
        joined = np.concatenate(values)
        assert (joined.shape, joined.dtype) == (field.shape, field.dtype)
        field[...] = joined
    return out


def read_all(path: Path, **settings) -> np.ndarray:
    """Return all rows of a file."""
    (measurement,) = open_json(path, **settings)
    return table(measurement)


def same(found: np.ndarray, expected: np.ndarray) -> None:
    """Check that records are equal, in the types of ``expected``, NaN where there is NaN."""
    assert found.dtype.names == expected.dtype.names
    assert found.shape == expected.shape
    for name in expected.dtype.names or ():
        if expected[name].dtype.names:
            same(found[name], expected[name])
        else:
            narrow = found[name].astype(expected[name].dtype)
            np.testing.assert_array_equal(narrow, expected[name], err_msg=name)
