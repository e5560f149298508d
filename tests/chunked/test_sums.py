"""Sums over runs of frames: numpy as the truth, the same bits for all chunks, bounded memory."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.sums import sum_runs

CHUNKS = [(-1, -1, -1), (1, -1, 2), (4, 3, -1), ((1, 5, 2, 9), 2, 3)]


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("starts", [[0], [0, 5, 10, 15], [0, 1, 16], list(range(17))])
def test_integers(chunks, starts):
    values = np.random.default_rng(0).integers(0, 2**32, (17, 4, 5)).astype(np.uint32)
    found = sum_runs(da.from_array(values, chunks=chunks), starts)
    wanted = np.add.reduceat(values.astype(np.int64), starts, axis=0)
    assert found.dtype == np.int64
    assert found.shape == wanted.shape
    assert found.chunks[0] == (1,) * len(starts)
    np.testing.assert_array_equal(found.compute(scheduler="synchronous"), wanted)


def test_floats_have_the_same_bits_for_all_chunks():
    values = np.random.default_rng(0).lognormal(0, 9, (17, 4, 5))
    found = [
        sum_runs(da.from_array(values, chunks=chunks), [0, 6]).compute().tobytes()
        for chunks in CHUNKS
    ]
    assert len(set(found)) == 1


def test_a_chain_does_not_wait_for_all_chunks():
    """No task takes more than one chunk: memory is one sum and the chunks that are at work."""
    array = da.ones((50, 2, 2), chunks=(1, 2, 2), dtype=np.uint16)
    summed = sum_runs(array, [0])
    graph = dict(summed.dask)
    name = array.name
    for task in graph.values():
        keys = task if isinstance(task, tuple) else getattr(task, "dependencies", ())
        used = [key for key in keys if isinstance(key, tuple) and key and key[0] == name]
        assert len(used) <= 1
    assert dask.compute(summed)[0].sum() == 200


def test_names_tell_content():
    first, second = (da.ones((4, 2), chunks=2) * factor for factor in (1, 2))
    assert sum_runs(first, [0]).name == sum_runs(first, [0]).name
    assert sum_runs(first, [0]).name != sum_runs(second, [0]).name
    assert sum_runs(first, [0]).name != sum_runs(first, [0, 2]).name
