"""Conditions on traces and neighbours against pandas and scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

import mfxarray as mfx
from mfxarray.minflux.filtering.masks import Range, Valid, mask_localizations
from mfxarray.minflux.filtering.trace_masks import (
    Dense,
    Settled,
    TraceLength,
    TracePlaces,
    TraceRange,
)
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings, localization_file


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    return mfx.open_minflux(localization_file(tmp_path_factory.mktemp("t")), chunk_bytes=300_000)


@pytest.fixture(scope="module")
def frame(ds):
    """Valid localizations with their row."""
    xyz = ds["position"][:, -1].values
    found = pd.DataFrame(xyz, columns=list("xyz"))
    found["tid"], found["tim"] = ds["tid"].values, ds["tim"].values
    found["row"] = np.arange(len(found))
    return found[ds["vld"].values & np.isfinite(xyz).all(axis=1)]


def passing(ds, condition):
    return np.flatnonzero(mask_localizations(ds, {"it": condition})["mask_it"].values)


def test_lengths(ds, frame):
    n = frame.groupby("tid")["tid"].transform("size")
    for low, high in [(4, None), (None, 3), (2, 9)]:
        wanted = frame["row"][(n >= (low or 0)) & (n <= (high or 10**9))]
        np.testing.assert_array_equal(passing(ds, TraceLength(low, high)), wanted)


def test_lengths_are_those_of_what_passed_before(ds, frame):
    efo = Range("efo", 20_000)
    steps = [("short", TraceLength(4)), ("efo", efo), ("again", TraceLength(4))]
    found = mask_localizations(ds, steps)["selected"].values
    n = frame.groupby("tid")["tid"].transform("size")
    left = frame[(n >= 4) & (ds["efo"][:, -1].values[frame["row"]] >= 20_000)]
    again = left.groupby("tid")["tid"].transform("size")
    assert (again < 4).any()
    np.testing.assert_array_equal(np.flatnonzero(found), left["row"][again >= 4])


@pytest.mark.parametrize(
    "places",
    [
        {"skip_first": 2},
        {"skip_last": 1},
        {"first": 3},
        {"last": 2},
        {"skip_first": 1, "skip_last": 1, "last": 4},
        {"skip_first": 1, "first": 0},
    ],
)
def test_places(ds, frame, places):
    groups = frame.groupby("tid")
    rank, back = groups.cumcount(), groups.cumcount(ascending=False)
    keep = (rank >= places.get("skip_first", 0)) & (back >= places.get("skip_last", 0))
    left = frame[keep].groupby("tid")
    if "first" in places:
        wanted = left.head(places["first"])
    else:
        wanted = left.tail(places.get("last", 10**9))
    np.testing.assert_array_equal(passing(ds, TracePlaces(**places)), sorted(wanted["row"]))


def test_statistics_of_traces(ds, frame):
    groups = frame.groupby("tid")["tim"]
    duration = groups.transform("max") - groups.transform("min")
    limit = float(duration.median())
    wanted = frame["row"][duration > limit]
    found = passing(ds, TraceRange("duration", limit, closed="neither"))
    np.testing.assert_array_equal(found, wanted)
    spread = frame.groupby("tid")["x"].transform("std")
    assert set(passing(ds, TraceRange("spread_pooled", 0.0))) == set(frame["row"][spread.notna()])


def test_traces_that_approach_first(ds, frame):
    data = ds.compute()
    moved = frame.groupby("tid").head(2)["row"]
    data["position"][moved.to_numpy()] += 1e-6
    xyz = data["position"][:, -1].values
    wanted = []
    for _, part in frame.groupby("tid", sort=False):
        rows = part["row"].to_numpy()
        close = cdist(xyz[rows], xyz[rows]).mean(axis=1) < 400e-9
        wanted += rows[np.argmax(close) :].tolist() if close.any() else []
    assert 0 < len(wanted) < len(frame)
    found = passing(data.chunk(localization=200), Settled(400e-9))
    np.testing.assert_array_equal(found, sorted(wanted))


def test_density_equals_all_pairs(ds, frame):
    xyz = frame[["x", "y", "z"]].to_numpy()
    fwhm = 20e-9
    sums = np.exp(-4 * np.log(2) * (cdist(xyz, xyz) / fwhm) ** 2).sum(axis=1) - 1
    limit = float(np.median(sums)) + 1e-3
    wanted = frame["row"][sums >= limit]
    assert 0 < len(wanted) < len(frame)
    np.testing.assert_array_equal(passing(ds, Dense(fwhm, limit)), wanted)


@pytest.mark.parametrize(
    "condition",
    [
        TraceLength(5),
        TracePlaces(1, 1),
        TraceRange("efo_median", 20_000),
        Settled(20e-9),
        Dense(20e-9, 0.5),
        ~TraceLength(5) | Range("efo", 20_000),
    ],
)
def test_every_chunking_gives_the_same(ds, condition):
    assert_chunk_invariant(
        lambda data: mask_localizations(data, {"valid": Valid(), "it": condition}),
        four_chunkings(ds, "localization"),
    )


def test_only_the_counting_is_done_at_once(ds):
    mask_localizations(ds, {"a": TraceLength(3)})
    with raise_if_computes():
        for condition in (TraceLength(3), TracePlaces(1), TraceRange("n", 3), Settled(1e-8)):
            mask_localizations(ds, {"it": condition})
        mask_localizations(ds, {"it": Dense(1e-8)})


def test_nothing_left(ds):
    none = {"none": Range("efo", 1e12)}
    for condition in (TraceLength(1), TracePlaces(), Settled(1.0), Dense(1e-8), TraceRange("n", 1)):
        assert not mask_localizations(ds, none | {"it": condition})["mask_it"].values.any()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: TraceLength(5, 4), "above"),
        (lambda: TracePlaces(-1), "negative"),
        (lambda: TracePlaces(first=1, last=1), "not both"),
        (lambda: Settled(0.0), "distance"),
        (lambda: Settled(float("nan")), "distance"),
        (lambda: Dense(-1.0), "fwhm"),
        (lambda: TraceRange("n", closed="x"), "closed"),
    ],
)
def test_wrong_conditions(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_unknown_statistics(ds):
    with pytest.raises(ValueError, match="no statistic 'nonsense'"):
        mask_localizations(ds, {"it": TraceRange("nonsense", 1)})
