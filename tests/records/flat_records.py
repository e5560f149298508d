"""Flat records for tests, and the rule of the specification in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from mfxarray.formats.npy.fields import flat_record_dtype

__all__ = ["MemoryTable", "nested_by_hand", "random_records", "records_of", "reference_groups"]


@dataclass(frozen=True)
class MemoryTable:
    """A table of records in memory that notes what is read of it."""

    rows: np.ndarray
    grain: int = 1
    columnar: bool = False
    name: str = "memory"
    reads: list = field(default_factory=list, compare=False, repr=False)

    @property
    def dtype(self):
        return self.rows.dtype

    @property
    def n_rows(self):
        return len(self.rows)

    def identity(self):
        return f"{self.name} {self.n_rows} {self.dtype.descr}"

    def read(self, start, stop):
        assert 0 <= start <= stop <= self.n_rows
        self.reads.append(("*", start, stop))
        return self.rows[start:stop].copy()

    def column(self, path, start, stop):
        assert 0 <= start <= stop <= self.n_rows
        assert self.columnar, "a column of records that lie together"
        self.reads.append((path[0], start, stop))
        found = self.rows[start:stop]
        for name in path:
            found = found[name]
        return np.ascontiguousarray(found)


def records_of(dtype=None, **columns) -> np.ndarray:
    """Return flat records with these fields; the others are told apart by their row."""
    n = max(np.size(values) for values in columns.values())
    rows = np.zeros(n, flat_record_dtype() if dtype is None else dtype)
    number = np.arange(n)
    given = {"vld": True, "tim": number * 0.5, "gri": number % 7, "sta": 2, "eco": number + 3}
    given |= {"loc": number[:, None] + [0.1, 0.2, 0.3], "efo": number * 2.0, "ecc": 2**32 - 1}
    given |= {"dcr": (number % 16)[:, None] / 16 + [0.0, 0.5], "cfr": -1 / 32768}
    for name, values in (given | columns).items():
        if name in rows.dtype.names:
            base = rows.dtype[name]
            values = np.asarray(values)
            if base.shape and values.ndim == 2:
                values = values[:, : base.shape[0]]
            rows[name] = values
    return rows


def random_records(seed: int, n: int, kind: str) -> np.ndarray:
    """Return records of a few traces; ``kind`` says how threads and traces lie."""
    rng = np.random.default_rng(seed)
    k = rng.integers(1, 6)
    tid = rng.integers(0, rng.integers(1, 8), n)
    thi = np.zeros(n, np.uint8)
    if kind == "contiguous":
        tid = np.sort(tid)
    elif kind == "falling":
        tid = np.sort(tid)[::-1]
    elif kind == "threads":
        thi = rng.integers(0, 3, n) * 100
        for thread in np.unique(thi):
            tid[thi == thread] = np.sort(tid[thi == thread])
    elif kind == "unsorted threads":
        thi = rng.integers(0, 2, n)
    itr = rng.integers(0, k, n)
    if rng.random() < 0.5:  # rising, as in real data
        itr = np.arange(n) % k
    return records_of(
        tid=tid,
        thi=thi,
        itr=itr,
        sqi=rng.random(n) < 0.1,
        fnl=(itr == k - 1) & (rng.random(n) < 0.9),
        vld=rng.random(n) < rng.choice([0.0, 0.5, 0.9, 1.0]),
        bot=rng.random(n) < 0.2,
        eot=rng.random(n) < 0.2,
    )


def reference_groups(rows: np.ndarray, view: str) -> list[list[int]]:
    """Return the rows of each localization: drop, sort where needed, then the rule."""
    kept = [row for row in range(len(rows)) if view == "all" or rows["vld"][row]]
    key = {row: (int(rows["thi"][row]), int(rows["tid"][row])) for row in kept}
    threads = sorted({key[row][0] for row in kept})
    interleaved = False
    for thread in threads:
        tids = [tid for tid, _ in groupby(key[row][1] for row in kept if key[row][0] == thread)]
        interleaved |= len(tids) > len(set(tids))
    if len(threads) > 1 or interleaved:
        kept.sort(key=key.__getitem__)
    groups: list[list[int]] = []
    for place, row in enumerate(kept):
        before = kept[place - 1]
        if (
            place == 0
            or key[row] != key[before]
            or rows["sqi"][row] != rows["sqi"][before]
            or rows["itr"][row] <= rows["itr"][before]
            or rows["fnl"][before]
        ):
            groups.append([])
        groups[-1].append(row)
    return groups


_INNER = [
    ("sta", "u1"),
    ("tim", "f8"),
    ("itr", "i4"),
    ("loc", "f8", (3,)),
    ("lnc", "f8", (3,)),
    ("eco", "i8"),
    ("ecc", "i8"),
    ("efo", "f4"),
    ("efc", "f4"),
    ("fbg", "f4"),
    ("cfr", "f4"),
    ("dcr", "f4"),
    ("dcr_per_detector", "f4", (2,)),
]
_TAIL = [("tim", "f8"), ("tid", "i8"), ("gri", "u4"), ("thi", "u1"), ("sqi", "u1")]
_TAIL += [(name, "?") for name in ("vld", "fnl", "bot", "eot")]


def nested_by_hand(rows: np.ndarray, groups: list[list[int]]) -> np.ndarray:
    """Return the localizations of the vendor's flat records, value by value."""
    n_iterations = int(rows["itr"].max()) + 1 if len(rows) else 1
    out = np.zeros(len(groups), [("itr", _INNER, (n_iterations,)), *_TAIL])
    for number, group in enumerate(groups):
        for name in out["itr"].dtype.names:
            if out["itr"][name].dtype.kind == "f":
                out["itr"][name][number] = np.nan
        out["itr"]["itr"][number] = range(n_iterations)
        for row in group:
            for name in out["itr"].dtype.names:
                value = rows["dcr" if name == "dcr_per_detector" else name][row]
                out["itr"][name][number, rows["itr"][row]] = value[0] if name == "dcr" else value
        for name in ("tim", "tid", "gri", "thi", "sqi", "vld", "fnl"):
            out[name][number] = rows[name][group[-1]]
        out["bot"][number] = any(rows["bot"][row] for row in group)
        out["eot"][number] = any(rows["eot"][row] for row in group)
    return out
