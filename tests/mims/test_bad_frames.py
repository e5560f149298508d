"""Frames that are no use: found, explained and left out, lazily."""

from __future__ import annotations

from collections import Counter

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray.chunked.blocks import frame_array
from mfxarray.chunked.shortcuts import select_detectors
from mfxarray.mims.bad_frames import bad_frames, drop_frames, frame_quality
from mfxarray.provenance import history
from mfxarray.testing import assert_same_bits, raise_if_computes
from tests.samples import four_chunkings

NAMES = ["a", "b", "c", "d", "SE"]


def made(frames=30):
    rates = np.array([20, 5, 0.5, 0.05, 30])[None, :, None, None]
    counts = np.random.default_rng(0).poisson(rates, (frames, 5, 24, 24)).astype("u4")
    if frames > 21:
        counts[5] = 0
        counts[9, :4] //= 3
        counts[17] *= 2
        counts[21, 1] = 0
        counts[3, 4] = 0
    return counts


def stack(counts, each=4):
    coords = {
        "frame": np.arange(10, 10 + len(counts)),
        "detector": NAMES,
        "mass": ("detector", [12.0, 13.0, 14.0, 15.0, 0.0]),
    }
    chunked = da.from_array(counts, chunks=(each, -1, -1, -1))
    return xr.DataArray(chunked, coords, ("frame", "detector", "y", "x"), "counts")


@pytest.fixture(scope="module")
def ions():
    return stack(made())


def test_bad_frames_and_why(ions):
    with raise_if_computes():
        bad = bad_frames(ions)
    wanted = np.full(30, "", "<U4")
    wanted[[5, 9, 17]] = "dead", "low", "high"
    assert bad["reason"].values.tolist() == wanted.tolist()
    np.testing.assert_array_equal(bad.values, wanted != "")
    assert bad.dims == ("frame",)
    assert bad.dtype == bool
    np.testing.assert_array_equal(bad["frame"], ions["frame"])


def test_one_detector_is_enough_if_asked(ions):
    bad = bad_frames(ions, num_detectors=1)
    assert np.flatnonzero(bad).tolist() == [5, 9, 17, 21]
    assert bad["reason"].values[21] == "dead"
    assert np.flatnonzero(bad_frames(ions, detectors="b")).tolist() == [5, 9, 17, 21]
    # electrons are looked at only by name
    assert bad_frames(ions, detectors=["SE"]).values[3]


def test_quality(ions):
    with raise_if_computes():
        quality = frame_quality(ions)
    counts = ions.values[:, :4]
    np.testing.assert_array_equal(quality["total"], counts.sum(axis=(2, 3)))
    assert quality["detector"].values.tolist() == NAMES[:4]
    assert quality["expected"].values[15, 0] == np.median(counts.sum(axis=(2, 3))[10:21, 0])
    assert quality["deviation"].values[9, 0] == pytest.approx(-0.67, abs=0.05)
    assert quality["verdict"].values[21].tolist() == [0, 1, 0, 0]
    assert quality["total"].attrs["units"] == "counts"


def test_every_chunking_gives_the_same(ions):
    wanted = frame_quality(ions).compute(), bad_frames(ions).compute()
    others = [*four_chunkings(ions, "frame"), ions.chunk({"detector": 2, "y": 7}), ions.compute()]
    for other in others:
        assert_same_bits(frame_quality(other).compute(), wanted[0])
        assert_same_bits(bad_frames(other).compute(), wanted[1])


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 10])
def test_few_frames(frames):
    counts = made(frames)
    assert not bad_frames(stack(counts)).values.any()
    counts[-1] = 0
    assert bad_frames(stack(counts)).values.tolist() == [False] * (frames - 1) + [True]


def test_sound_stacks_lose_nothing():
    for seed in range(5):
        counts = np.random.default_rng(seed).poisson(0.2, (50, 5, 16, 16)).astype("u4")
        assert not bad_frames(stack(counts)).values.any()


def test_dropping(ions):
    kept = drop_frames(ions)
    assert isinstance(kept.data, da.Array)
    np.testing.assert_array_equal(kept.values, np.delete(ions.values, [5, 9, 17], axis=0))
    assert set(ions["frame"].values) - set(kept["frame"].values) == {15, 19, 27}
    step = history(kept.attrs)[-1]
    assert step["step"] == "drop_frames"
    assert step["parameters"]["dropped"] == [15, 19, 27]
    assert [other["step"] for other in step["others"]["bad"]] == ["frame_quality", "bad_frames"]
    np.testing.assert_array_equal(select_detectors(kept.data, [2, 0]), kept.values[:, [2, 0]])
    assert drop_frames(ions, num_detectors=1).sizes["frame"] == 26


def test_dropping_what_one_chose(ions):
    flags = np.zeros(30, bool)
    flags[0] = True
    for bad in (flags, flags.tolist(), xr.DataArray(flags, dims="frame")):
        assert drop_frames(ions, bad).sizes["frame"] == 29
    both = ions.to_dataset(name="counts").assign(variance=ions * 2.0)
    assert drop_frames(both, flags)["variance"].shape == (29, 5, 24, 24)
    assert drop_frames(ions.astype(float), flags).dtype == float


def test_the_stack_is_read_once():
    counts, reads = made(), Counter()

    def read(start, stop):
        reads[start] += 1
        return counts[start:stop]

    data = frame_array(read, "quality", (5,) * 6, counts.shape[1:], counts.dtype)
    ions = stack(counts).copy(data=data)
    bad_frames(ions).compute(scheduler="sync")
    assert len(reads) == 6
    assert set(reads.values()) == {1}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"window": 4}, "odd"),
        ({"window": 1}, "at least 3"),
        ({"limit": -0.1}, "limit"),
        ({"false_positives": 0.0}, "between 0 and 1"),
        ({"num_detectors": 5}, "1 to 4"),
        ({"num_detectors": 0}, "1 to 4"),
        ({"detectors": "z"}, "no detector 'z'"),
    ],
)
def test_wrong_parameters(ions, parameters, message):
    with pytest.raises(ValueError, match=message):
        bad_frames(ions, **parameters)


def test_wrong_bad(ions):
    bad = bad_frames(ions)
    with pytest.raises(ValueError, match="other frames"):
        drop_frames(ions.isel(frame=slice(1, None)), bad)
    with pytest.raises(ValueError, match="one bool"):
        drop_frames(ions, [5, 9])
    with pytest.raises(ValueError, match="all frames"):
        drop_frames(ions, np.ones(30, bool))
    with pytest.raises(ValueError, match="not both"):
        drop_frames(ions, bad, window=5)
    with pytest.raises(ValueError, match="in counts"):
        drop_frames(ions.to_dataset(name="counts"))
