"""Trimming and splitting against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mfxarray as mfx
from mfxarray.minflux.filtering.filters import filter_localizations
from mfxarray.minflux.filtering.masks import mask_names
from mfxarray.minflux.traces.table import traces
from mfxarray.minflux.traces.trimming import split_traces, trim_traces
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings, localization_file


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    return mfx.open_minflux(localization_file(tmp_path_factory.mktemp("t")), chunk_bytes=300_000)


def frame_of(ds, selected=None):
    frame = pd.DataFrame({"tid": ds["tid"].values, "tim": ds["tim"].values})
    frame["row"] = np.arange(len(frame))
    used = ds["vld"].values & np.isfinite(ds["position"][:, -1].values).all(axis=1)
    return frame[used if selected is None else used & selected]


def test_ends_are_cut_before_lengths_are_counted(ds):
    found = trim_traces(ds, least=4, skip_first=2)
    assert mask_names(found) == ["trace_places", "trace_length"]
    frame = frame_of(ds)
    left = frame[frame.groupby("tid").cumcount() >= 2]
    wanted = left["row"][left.groupby("tid")["tid"].transform("size") >= 4]
    np.testing.assert_array_equal(np.flatnonzero(found["selected"].values), wanted)
    again = trim_traces(found, least=5)
    assert mask_names(again)[-1] == "trace_length_2"


def test_durations(ds):
    times = frame_of(ds).groupby("tid")["tim"]
    limit = float((times.max() - times.min()).median())
    found = traces(trim_traces(ds, shortest=limit)).compute()
    assert (found["duration"] >= limit).all()
    assert found.sizes["trace"] == int((times.max() - times.min() >= limit).sum())


def pieces_by_pandas(frame, gap):
    """Number of the piece of each row: traces as they begin, pieces in time."""
    trace = pd.factorize(frame["tid"])[0]
    breaks = frame.groupby("tid")["tim"].diff().abs() > gap
    within = breaks.groupby(frame["tid"]).cumsum().astype(int)
    pairs = pd.Series(list(zip(trace, within, strict=True)))
    number = {pair: place for place, pair in enumerate(sorted(set(pairs)))}
    return pairs.map(number).to_numpy()


@pytest.mark.parametrize("quantile", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("shuffled", [False, True])
def test_pieces(ds, quantile, shuffled):
    data = ds
    if shuffled:  # traces come back after others, their rows stay in order
        order = np.argsort(np.arange(ds.sizes["localization"]) % 3, kind="stable")
        data = ds.compute().isel(localization=order).chunk(localization=170)
    frame = frame_of(data)
    gap = float(frame.groupby("tid")["tim"].diff().abs().quantile(quantile))
    found = split_traces(data, gap=gap)
    tid = found["tid"].values
    wanted = pieces_by_pandas(frame, gap)
    np.testing.assert_array_equal(tid[frame["row"]], wanted)
    assert (np.delete(tid, frame["row"]) == -1).all()
    np.testing.assert_array_equal(found["tid_unsplit"], data["tid"])
    table = traces(found).compute()
    assert table.sizes["trace"] == wanted.max() + 1
    np.testing.assert_array_equal(np.sort(table["tid"]), np.arange(wanted.max() + 1))


def test_masked_localizations_do_not_bridge_gaps(ds):
    keep = np.arange(ds.sizes["localization"]) % 2 == 0
    marked = ds.assign(even=("localization", keep * 1.0))
    data = filter_localizations(marked, bounds={"even": (1, 1)})
    frame = frame_of(ds, keep)
    gap = float(frame.groupby("tid")["tim"].diff().quantile(0.5))
    found = split_traces(data, gap=gap)["tid"].values
    np.testing.assert_array_equal(found[frame["row"]], pieces_by_pandas(frame, gap))


def test_every_chunking_gives_the_same(ds):
    gap = float(frame_of(ds).groupby("tid")["tim"].diff().quantile(0.7))
    chunkings = four_chunkings(ds, "localization")
    assert_chunk_invariant(lambda data: split_traces(data, gap=gap), chunkings)
    assert_chunk_invariant(lambda data: trim_traces(data, least=3, last=5), chunkings)


def test_ids_are_lazy(ds):
    found = split_traces(ds, gap=0.1)
    with raise_if_computes():
        assert found["tid"].chunks is not None
    assert found.mfx.history[-1] == found.mfx.history[-1] | {"parameters": {"gap": 0.1}}


def test_nothing_left(ds):
    none = filter_localizations(ds, bounds={"efo": (1e12, None)})
    assert (split_traces(none, gap=1.0)["tid"].values == -1).all()


@pytest.mark.parametrize("gap", [0, -1.0, float("nan"), float("inf")])
def test_wrong_gaps(ds, gap):
    with pytest.raises(ValueError, match="gap"):
        split_traces(ds, gap=gap)


def test_what_cannot_be(ds):
    with pytest.raises(ValueError, match="nothing to trim by"):
        trim_traces(ds)
    with pytest.raises(ValueError, match="split before"):
        split_traces(split_traces(ds, gap=1.0), gap=0.1)
