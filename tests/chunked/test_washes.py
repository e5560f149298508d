"""Times of traces and registered rows in blocks."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest

from mfxarray.chunked.washes import registered_rows, trace_times
from mfxarray.errors import ChunkError
from mfxarray.kernels.beads.motion import common_motion
from mfxarray.kernels.beads.tracks import clean_track
from mfxarray.testing import raise_if_computes


def rows_of(n=3000):
    rng = np.random.default_rng(1)
    tid = np.repeat(np.arange(n), rng.geometric(0.1, n))[:n].astype(np.int32)
    return tid, np.sort(rng.uniform(0, 1000, n)), rng.random(n) < 0.9


def cut(columns, chunks):
    return [da.from_array(column, chunks=chunks) for column in columns]


@pytest.mark.parametrize("chunks", [3000, 1, 7, (1, 2, 0, 997, 2000)])
def test_equals_pandas_for_every_cut(chunks):
    columns = rows_of(300) if chunks == 1 else rows_of()
    chunks = chunks if chunks != (1, 2, 0, 997, 2000) else (chunks,)
    with raise_if_computes():
        lazy = trace_times(*cut(columns, chunks))
    tid, tim, used = columns
    means = pd.Series(np.where(used, tim, np.nan)).groupby(tid).transform("mean")
    np.testing.assert_allclose(lazy.compute(), means, rtol=0, atol=8e-9)
    whole = trace_times(*cut(columns, len(tid))).compute()
    np.testing.assert_array_equal(lazy.compute(), whole)


def test_no_block_waits_for_the_means_of_all():
    """Blocks that both passes need are made twice, so none is kept between them."""
    tid, tim, used = rows_of()
    position = da.random.default_rng(0).uniform(1e-6, 1e-5, (3000, 3), chunks=(500, 3))
    finite = ~da.isnan(position).any(axis=1)
    lazy = trace_times(*cut((tid, tim), 500), finite & da.from_array(used, chunks=500))
    rows = registered_rows(position, lazy, motion_of())
    layers = rows.dask.layers
    needs = rows.dask.dependencies
    waiting, first_pass = [name for name in layers if name.startswith("kept-")], set()
    while waiting:
        name = waiting.pop()
        if name not in first_pass:
            first_pass.add(name)
            waiting.extend(needs[name])
    assert position.name in layers
    assert position.name not in first_pass
    assert any(name.startswith(position.name) for name in first_pass)


def test_threads_change_no_bit():
    lazy = trace_times(*cut(rows_of(), 500))
    with dask.config.set(scheduler="threads", num_workers=4):
        first = lazy.compute()
    np.testing.assert_array_equal(first, lazy.compute(scheduler="synchronous"))


def motion_of():
    tim = np.arange(0, 900, 4.0)
    xyz = np.stack([tim, -tim, 0 * tim], axis=1) * 1e-9
    return common_motion([clean_track(tim, xyz, np.ones(len(tim)), None)], np.zeros((1, 3)), 1)


@pytest.mark.parametrize("chunks", [3000, 100, 11])
def test_positions_lose_the_motion(chunks):
    _, tim, _ = rows_of()
    position = np.random.default_rng(2).uniform(1e-6, 1e-5, (3000, 3))
    position[5] = np.nan
    position[6] = 0.0
    lazy = registered_rows(
        da.from_array(position, chunks=(chunks, 3)), da.from_array(tim, chunks=chunks), motion_of()
    )
    assert lazy.shape == (3000, 6)
    found = lazy.compute()
    inside = (tim <= 896) & (np.arange(3000) != 5) & (np.arange(3000) != 6)
    expected = position - np.stack([tim, -tim, 0 * tim], axis=1) * 1e-9
    np.testing.assert_allclose(found[inside, :3], expected[inside], atol=1e-20)
    assert np.isnan(found[~inside]).all()


def test_rows_cut_differently_are_refused():
    with pytest.raises(ChunkError):
        registered_rows(da.zeros((10, 3), chunks=(5, 3)), da.zeros(10, chunks=2), motion_of())
