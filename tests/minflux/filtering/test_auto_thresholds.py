"""Thresholds that the data suggest, against scipy and against known mixtures."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import median_abs_deviation

import mfxarray as mfx
from mfxarray.minflux.filtering.auto_thresholds import (
    find_peak,
    histogram_of,
    peak_range,
    spread_range,
)
from mfxarray.minflux.filtering.masks import mask_localizations
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.testing import raise_if_computes
from tests.samples import four_chunkings, localization_file


def data_of(efo, **more):
    n = len(efo)
    fields = {"efo": efo, **more}
    return xr.Dataset(
        {name: ("localization", values) for name, values in fields.items()}
        | {"position": (("localization", "axis"), np.zeros((n, 3)))},
        {"tid": ("localization", np.arange(n)), "tim": ("localization", np.arange(n) * 1.0)},
    ).chunk(localization=max(n // 5, 1))


@pytest.fixture(scope="module")
def rates():
    """One emitter at 30 kHz, fewer pairs at 60 kHz."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(30e3, 2e3, 8000), rng.normal(60e3, 3e3, 2500)])


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_robust_spread_equals_scipy(rates, factor):
    found = spread_range(data_of(rates), "efo", factor=factor)
    half = factor * median_abs_deviation(rates, scale="normal")
    np.testing.assert_allclose(found.low, np.median(rates) - half, rtol=1e-10)
    np.testing.assert_allclose(found.high, np.median(rates) + half, rtol=1e-10)


def test_histogram_equals_numpy(rates):
    counts, edges = histogram_of(data_of(rates), "efo")
    wanted, wanted_edges = np.histogram(rates, bins="fd")
    np.testing.assert_allclose(edges, wanted_edges, rtol=1e-12)
    np.testing.assert_array_equal(counts, wanted)


def test_the_first_and_the_highest_peak(rates):
    single = peak_range(data_of(rates), "efo")
    assert 23e3 < single.low < 27e3
    assert 33e3 < single.high < 38e3
    swapped = np.concatenate([rates[8000:], rates[8000:] + 1.0, rates[:2000]])
    assert peak_range(data_of(swapped), "efo").low > 45e3
    assert peak_range(data_of(swapped), "efo", which="first").high < 45e3
    found = mask_localizations(data_of(rates), {"single": single})["selected"].values
    assert found[:8000].mean() > 0.95
    assert found[8000:].mean() < 0.01


def test_feet_between_peaks_that_touch():
    counts = np.array([0, 10, 50, 100, 60, 40, 60, 80, 30, 0])
    edges = np.arange(11.0)
    peak = find_peak(counts, edges, smooth=1)
    assert (peak.place, peak.low, peak.high) == (3.5, 1.0, 5.0)
    assert peak.prominence == 1.0


def test_peaks_at_the_border():
    peak = find_peak(np.array([100, 50, 2, 1, 1]), np.arange(6.0), smooth=1)
    assert (peak.low, peak.high) == (0.0, 2.0)
    alone = find_peak(np.array([7]), np.array([0.0, 1.0]))
    assert (alone.low, alone.high) == (0.0, 1.0)


def test_what_was_not_measured_does_not_count(rates):
    ratio = np.where(np.arange(len(rates)) % 3, 0.5, CFR_NOT_MEASURED) + 0.0
    found = spread_range(data_of(rates, cfr=ratio), "cfr")
    assert found.low == found.high == 0.5


def test_the_same_for_every_chunking_and_lazily_applied(tmp_path):
    ds = mfx.open_minflux(localization_file(tmp_path), chunk_bytes=300_000)
    found = [
        (spread_range(data, "cfr"), peak_range(data, "efo"), spread_range(data, "eco", iteration=8))
        for data in four_chunkings(ds, "localization")
    ]
    assert found[1:] == found[:1] * 3
    with raise_if_computes():
        mask_localizations(ds, {"efo": found[0][1]})


def test_what_cannot_be(rates):
    data = data_of(rates)
    for wrong in (
        {"prominence": 0},
        {"prominence": 2.0},
        {"which": "best"},
        {"smooth": 4},
        {"base": 1.0},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            peak_range(data, "efo", **wrong)
    with pytest.raises(ValueError, match="factor"):
        spread_range(data, "efo", factor=0)
    with pytest.raises(ValueError, match="no selected localization"):
        spread_range(data_of(np.full(5, np.nan)), "efo")
    with pytest.raises(ValueError, match="no peak"):
        find_peak(np.zeros(5), np.arange(6.0))
