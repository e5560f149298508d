"""Pair correlation: 1 at random up to the border, closed forms, all pairs, every chunking."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from mfxarray.minflux.colocalization.channel_points import channel_points
from mfxarray.minflux.colocalization.pair_correlation import bin_edges, pair_correlation
from mfxarray.minflux.traces.table import traces
from mfxarray.provenance import history
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.kernels.clusters.test_pair_counts import brute_pairs
from tests.minflux.pattern_samples import channels_of, poisson, thomas
from tests.samples import four_chunkings, localizations_of

# sides in metres; r_max is half of the longest one
FIELDS = [(2e-6, 2e-6), (6e-6, 0.8e-6), (1.5e-6, 1.5e-6, 1.5e-6), (2e-6, 1e-6, 0.3e-6)]


def region_of(sides):
    return [(0.0, side) for side in sides]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("sides", FIELDS)
def test_a_poisson_pattern_is_1_up_to_the_border(sides, given):
    r_max = max(sides) / 2
    off, found = [], []
    with dask.config.set(scheduler="synchronous"):
        for seed in range(20 if given else 4):
            rng = np.random.default_rng([seed, len(sides)])
            data = channels_of(poisson(1500, sides, rng), poisson(1200, sides, rng))
            region = region_of(sides) if given else None
            one = pair_correlation(data, r_max=r_max, bin=r_max / 25, region=region).compute()
            off.append(((one.g - 1) / one.error).values)
            found.append((one.pairs.sum("r") / one.expected.sum("r")).values)
    off = np.array(off)
    assert np.abs(off).max() < 4.5
    # the error is the right one, neither too small nor too large
    assert 0.75 < off.std() < 1.3
    # counts of all bins of a pattern are off together, so this needs many patterns
    np.testing.assert_allclose(np.mean(found, axis=0), 1, atol=0.01 if given else 0.03)


def test_the_border_is_far_enough_for_every_bin():
    sides = (2e-6, 2e-6)
    off = []
    with dask.config.set(scheduler="synchronous"):
        for seed in range(8):
            rng = np.random.default_rng(seed)
            data = channels_of(poisson(900, sides, rng), poisson(700, sides, rng))
            settings = {"r_max": 0.7e-6, "bin": 35e-9, "edge": "border"}
            one = pair_correlation(data, region=region_of(sides), **settings).compute()
            off.append(((one.g - 1) / one.error).values)
    off = np.array(off)
    assert np.abs(off).max() < 4.8
    assert 0.75 < off.std() < 1.3
    assert abs(off.mean()) < 0.25


def test_counts_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    sides = (1e-6, 0.7e-6, 0.4e-6)
    data = channels_of(poisson(150, sides, rng), poisson(120, sides, rng), rng=rng)
    mask = rng.random(270) < 0.9
    data = data.assign(selected=("localization", mask))
    edges = bin_edges(0.3e-6, 20e-9)
    box = region_of((0.8e-6, 0.7e-6, 0.4e-6))
    found = pair_correlation(data, r_max=0.3e-6, bin=20e-9, region=box).compute()
    points = data["position"].values
    mask &= points[:, 0] <= 0.8e-6
    own = np.ones(mask.sum(), bool)
    channel = data["channel"].values[mask]
    wanted = brute_pairs(points[mask], channel, own, edges, 2)
    np.testing.assert_array_equal(found.pairs, wanted)
    np.testing.assert_array_equal(found.points, np.bincount(channel))
    np.testing.assert_array_equal(found.r_low, edges[:-1])
    # pairs at all distances are all pairs
    all_of = pair_correlation(data, r_max=1.1e-6, region=box)
    n = np.bincount(channel)
    for one, two in np.ndindex(2, 2):
        total = n[one] * (n[one] - 1) // 2 if one == two else n[0] * n[1]
        assert all_of.pairs.sum("r").values[one, two] == total
        np.testing.assert_allclose(all_of.expected.sum("r").values[one, two], total, rtol=1e-7)


def test_a_thomas_process_by_its_closed_form():
    side, sigma, parents = 8e-6, 60e-9, 500
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        data = channels_of(thomas(parents, 8, sigma, (side, side), rng))
        found.append(pair_correlation(data, r_max=0.4e-6, bin=20e-9, region=region_of((side,) * 2)))
    g = np.mean([one.g.values[0, 0] for one in found], axis=0)
    r = found[0].r.values
    density = parents / side**2
    wanted = 1 + np.exp(-(r**2) / (4 * sigma**2)) / (4 * np.pi * sigma**2 * density)
    np.testing.assert_allclose(g, wanted, rtol=0.08)
    k = np.mean([one.ripley_k.values[0, 0] for one in found], axis=0)
    high = found[0].r_high.values
    wanted = np.pi * high**2 + (1 - np.exp(-(high**2) / (4 * sigma**2))) / density
    np.testing.assert_allclose(k, wanted, rtol=0.06)
    np.testing.assert_allclose(found[0].ripley_l, np.sqrt(found[0].ripley_k / np.pi))


def test_two_dimensions_of_flat_points_and_of_others():
    rng = np.random.default_rng(3)
    flat = channels_of(poisson(300, (1e-6, 1e-6), rng))
    found = pair_correlation(flat, r_max=0.2e-6)
    assert found.attrs["dimensions"] == 2
    assert found.density.attrs["units"] == "m^-2"
    high = channels_of(poisson(300, (1e-6, 1e-6, 1e-6), rng))
    assert pair_correlation(high, r_max=0.2e-6).attrs["dimensions"] == 3
    one = pair_correlation(high, r_max=0.2e-6, dimensions=2)
    two = pair_correlation(high, r_max=0.2e-6)
    assert one.attrs["dimensions"] == 2
    assert one.pairs.values.sum() > two.pairs.values.sum()
    with pytest.raises(ValueError, match="dimensions=2"):
        pair_correlation(flat, r_max=0.2e-6, dimensions=3)


def test_the_box_around_the_points_is_made_larger():
    rng = np.random.default_rng(4)
    sides = []
    for _ in range(150):
        found = channel_points(channels_of(poisson(20, (1.0, 2.0), rng)))
        sides.append(found.high - found.low)
    # a side of n points is short by 2 / (n + 1), a tenth here
    np.testing.assert_allclose(np.mean(sides, axis=0), [1, 2], rtol=0.02)
    assert found.told()["field"] == "box around the points"


def test_channels_by_name_number_and_list():
    rng = np.random.default_rng(5)
    one, two, three = (poisson(80, (1e-6, 1e-6, 1e-6), rng) for _ in range(3))
    data = channels_of(one, two, three)
    box = region_of((1e-6,) * 3)
    settings = {"r_max": 0.3e-6, "region": box}
    found = pair_correlation(data, **settings)
    listed = pair_correlation([channels_of(p) for p in (one, two, three)], **settings)
    np.testing.assert_array_equal(found.pairs, listed.pairs)
    some = pair_correlation(data, values=[2, 0], **settings)
    np.testing.assert_array_equal(some.channel, [2, 0])
    np.testing.assert_array_equal(some.pairs, found.pairs.sel(channel=[2, 0], other=[2, 0]))
    named = pair_correlation(data.rename(channel="dye"), "dye", **settings)
    np.testing.assert_array_equal(named.pairs, found.pairs)
    washes = pair_correlation(data.rename(channel="wash"), **settings)
    np.testing.assert_array_equal(washes.pairs, found.pairs)
    alone = pair_correlation(data.drop_vars("channel"), **settings)
    assert alone.pairs.values.sum() == sum(
        found.pairs.values[a, b].sum() for a in range(3) for b in range(a, 3)
    )
    without = data.assign(channel=data.channel.where(data.channel != 1, -1))
    assert pair_correlation(without, **settings).channel.values.tolist() == [0, 2]


def test_a_table_of_traces():
    rng = np.random.default_rng(6)
    data = localizations_of(
        poisson(300, (1e-6, 1e-6, 1e-6), rng),
        tid=np.arange(300) // 3,
        wash=(np.arange(300) // 150).astype(np.int32),
    )
    table = traces(data)
    found = pair_correlation(table, r_max=0.2e-6, bin=20e-9)
    centroid, wash = table["centroid"].values, table["wash"].values
    wanted = brute_pairs(centroid, wash, np.ones(100, bool), bin_edges(0.2e-6, 20e-9), 2)
    np.testing.assert_array_equal(found.pairs, wanted)


def sample() -> xr.Dataset:
    rng = np.random.default_rng(7)
    sides = (1e-6, 1e-6, 0.5e-6)
    return channels_of(poisson(200, sides, rng), thomas(15, 10, 2e-8, sides, rng), rng=rng)


@pytest.mark.parametrize("edge", ["rigid", "border"])
def test_every_chunking_gives_the_same(edge):
    assert_chunk_invariant(
        lambda data: pair_correlation(data, r_max=0.2e-6, bin=20e-9, edge=edge),
        four_chunkings(sample(), "localization"),
    )


def test_what_is_counted_stays_lazy():
    data = sample().chunk(localization=60)
    found = pair_correlation(data, r_max=0.2e-6)
    for name in ("g", "pairs", "ripley_k"):
        assert found[name].chunks is not None
    with raise_if_computes():
        _ = found["g"] * 2
    (step,) = history(found.attrs)
    assert step["step"] == "pair_correlation"
    assert step["parameters"]["r_max"] == 0.2e-6
    assert found.r.attrs["units"] == "m"
    assert found.ripley_k.attrs["units"] == "m^3"


def test_refuses():
    data = sample()
    for wrong in ({"r_max": 0}, {"r_max": np.nan}, {"r_max": 1e-7, "bin": -1.0}):
        with pytest.raises(ValueError, match="distance above 0"):
            pair_correlation(data, **wrong)
    with pytest.raises(ValueError, match="bins are more"):
        pair_correlation(data, r_max=1e-7, bin=1e-14)
    with pytest.raises(ValueError, match="'rigid' or 'border'"):
        pair_correlation(data, r_max=1e-7, edge="none")
    with pytest.raises(ValueError, match="diagonal"):
        pair_correlation(data, r_max=1e-5)
    with pytest.raises(ValueError, match="half of the shortest"):
        pair_correlation(data, r_max=0.3e-6, edge="border")
    for region in ([(0, 1)], [(1, 0)] * 3, "box", [(0, np.inf)] * 3):
        with pytest.raises(ValueError, match="region"):
            pair_correlation(data, r_max=1e-7, region=region)
    with pytest.raises(ValueError, match="no 'dye'"):
        pair_correlation(data, "dye", r_max=1e-7)
    with pytest.raises(ValueError, match="must be integers"):
        pair_correlation(data, "tim", r_max=1e-7)
    with pytest.raises(ValueError, match="leave out channels"):
        pair_correlation([data], "channel", r_max=1e-7)
    with pytest.raises(ValueError, match="at least one Dataset"):
        pair_correlation([], r_max=1e-7)
    with pytest.raises(ValueError, match="channels are more"):
        pair_correlation(data, "tid", r_max=1e-7)
    with pytest.raises(ValueError, match="differ"):
        pair_correlation(data, values=[1, 1], r_max=1e-7)
    nobody = data.assign(selected=("localization", np.zeros(data.sizes["localization"], bool)))
    with pytest.raises(ValueError, match="0 channels"):
        pair_correlation(nobody, r_max=1e-7)
