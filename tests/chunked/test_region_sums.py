"""Sums over regions of chunked images."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.region_sums import Regions, region_geometry, region_sums
from mfxarray.kernels.region_sums import members_of_labels
from mfxarray.testing import raise_if_computes

LABELS = np.random.default_rng(0).integers(0, 4, (14, 9))
MEMBERS = members_of_labels(LABELS, np.arange(1, 4))


def stack(dtype="uint16"):
    return np.random.default_rng(1).integers(0, 500, (10, 3, 14, 9)).astype(dtype)


def wanted(values):
    return np.stack([(values * (number == LABELS)).sum((2, 3)) for number in (1, 2, 3)], -1)


@pytest.mark.parametrize("chunks", [(10, 3, 14, 9), (3, 1, 14, 9), (4, 2, 5, 4), (1, 3, 14, 2)])
def test_sums(chunks):
    values = stack()
    sums, missing = region_sums(da.from_array(values, chunks=chunks), Regions(MEMBERS))
    assert sums.dtype == np.int64
    np.testing.assert_array_equal(sums.compute(), wanted(values.astype(int)))
    assert not missing.compute().any()


def test_chunks_change_no_bit_of_floats():
    values = stack("float64") / 7
    found = {
        region_sums(da.from_array(values, chunks=chunks), Regions(MEMBERS))[0].compute().tobytes()
        for chunks in [(10, 3, 14, 9), (3, 1, 5, 4), ((1, 2, 7), 3, 2, 9)]
    }
    assert len(found) == 1


def test_nothing_runs_before_it_is_asked_for():
    with raise_if_computes():
        sums, _ = region_sums(da.from_array(stack(), chunks=2), Regions(MEMBERS))
        region_geometry(Regions(MEMBERS, da.ones((14, 9))), np.arange(14.0), np.arange(9.0))
    assert sums.chunks == ((2,) * 5, (2, 1), (3,))


def test_each_chunk_is_read_once():
    reads = []
    values = stack()

    def read(number):
        reads.append(number)
        return values[2 * number : 2 * number + 2]

    tasks = {("counted", n, 0, 0, 0): (read, n) for n in range(5)}
    images = graph_array("counted", tasks, (), ((2,) * 5, (3,), (14,), (9,)), np.uint16)
    dask.compute(*region_sums(images, Regions(MEMBERS)), scheduler="synchronous")
    assert sorted(reads) == [0, 1, 2, 3, 4]


def test_only_what_all_frames_cover():
    exposure = np.random.default_rng(2).integers(8, 11, (14, 9))
    values = stack()
    # cut in pieces, and frames chosen later: the largest exposure is that of all frames
    for frames in (10, 4):
        regions = Regions(MEMBERS, da.from_array(exposure, chunks=5), frames)
        sums, _ = region_sums(da.from_array(values[:frames], chunks=3), regions)
        kept = values[:frames].astype(int) * (exposure == 10)
        np.testing.assert_array_equal(sums.compute(), wanted(kept))
        number = region_geometry(regions, np.arange(14.0), np.arange(9.0))[0].compute()
        in_regions = [np.count_nonzero((n == LABELS) & (exposure == 10)) for n in (1, 2, 3)]
        np.testing.assert_array_equal(number, in_regions)


def test_nothing_is_covered_by_all():
    regions = Regions(MEMBERS, da.full((14, 9), 3), 10)
    sums, _ = region_sums(da.from_array(stack(), chunks=3), regions)
    assert not sums.compute().any()


def test_no_frames():
    sums, _ = region_sums(da.zeros((0, 3, 14, 9), dtype=np.uint16), Regions(MEMBERS))
    assert sums.compute().shape == (0, 3, 3)
