"""Which rows are looked at when a table is opened: few, spread, none twice."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from mfxarray.formats.samples import Sample


@dataclass
class Rows:
    """Numbered rows that note what is read of them."""

    n_rows: int
    grain: int = 1
    columnar: bool = False
    dtype: np.dtype = field(default_factory=lambda: np.dtype([("n", "i8"), ("rest", "V992")]))
    read_ranges: list = field(default_factory=list)

    def read(self, start, stop):
        self.read_ranges.append((start, stop))
        rows = np.zeros(stop - start, self.dtype)
        rows["n"] = np.arange(start, stop)
        return rows


@pytest.mark.parametrize("n_rows", [0, 1, 500, 1100, 5000, 10**6])
@pytest.mark.parametrize("windows", [None, 1, 3, 4])
def test_rows_are_spread_and_the_head_is_read_once(n_rows, windows):
    table = Rows(n_rows)
    found = Sample(table, windows).column(("n",))
    assert found.tolist()[:1] == list(range(n_rows))[:1]
    assert all(0 <= start <= stop <= n_rows for start, stop in table.read_ranges)
    assert len(found) <= 5000
    if windows and n_rows > 10_000:
        assert len(table.read_ranges) == windows
        assert len(set(found.tolist())) == len(found)
        assert windows == 1 or found[-1] == n_rows - 1


def test_a_field_that_is_not_there_reads_nothing():
    table = Rows(10)
    assert Sample(table).column(("absent",)) is None
    assert table.read_ranges == []
