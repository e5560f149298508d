"""Masks by name against plain numpy, alone and made of each other."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path

import mfxarray as mfx
from mfxarray.minflux.filtering.filters import compact
from mfxarray.minflux.filtering.masks import (
    AnyOf,
    Box,
    Polygon,
    Range,
    Valid,
    inside_polygon,
    mask_localizations,
    mask_names,
)
from mfxarray.schema import CFR_NOT_MEASURED
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.samples import four_chunkings, localization_file


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    return mfx.open_minflux(localization_file(tmp_path_factory.mktemp("m")), chunk_bytes=300_000)


def passing(ds, condition):
    with raise_if_computes():
        found = mask_localizations(ds, {"it": condition})
    mask = found["mask_it"].values
    np.testing.assert_array_equal(found["selected"], mask)
    return mask


@pytest.mark.parametrize(
    ("closed", "least", "most"),
    [("both", 0, 0), ("left", 0, 1), ("right", 1, 0), ("neither", 1, 1)],
)
def test_bounds_are_open_or_closed(ds, closed, least, most):
    times = np.sort(ds["tim"].values)
    found = passing(ds, Range("tim", times[10], times[20], closed=closed))
    assert found.sum() == 11 - least - most
    assert found[np.searchsorted(times, times[10])] == (least == 0)


def test_the_iteration_that_is_asked_for(ds):
    data = ds.compute()
    eco, position = data["eco"].values, data["position"].values
    executed = np.isfinite(position[:, 3]).all(axis=1)
    assert 0 < executed.sum() < len(executed)
    limit = int(np.median(eco[executed, 3]))
    inside = eco[:, 3] >= limit
    dropped = passing(ds, Range("eco", limit, iteration=3, unmeasured="drop"))
    np.testing.assert_array_equal(dropped, inside & executed)
    kept = passing(ds, Range("eco", limit, iteration=3))
    np.testing.assert_array_equal(kept, inside | ~executed)
    np.testing.assert_array_equal(passing(ds, Range("eco", limit)), eco[:, -1] >= limit)


def test_cfr_comes_from_where_it_was_measured(ds):
    number = ds.attrs["cfr_iteration"]
    assert number != ds.sizes["iteration"] - 1
    ratio = ds["cfr"][:, number].values
    measured = (ratio != CFR_NOT_MEASURED) & ~np.isnan(ratio)
    found = passing(ds, Range("cfr", None, 0.5, unmeasured="drop"))
    np.testing.assert_array_equal(found, (ratio <= 0.5) & measured)


def test_boxes_in_space(ds):
    xyz = ds["position"][:, -1].values
    low, high = np.nanquantile(xyz, [0.2, 0.7], axis=0)
    found = passing(ds, Box(x=(low[0], high[0]), z=(None, high[2])))
    with np.errstate(invalid="ignore"):
        wanted = (xyz[:, 0] >= low[0]) & (xyz[:, 0] <= high[0]) & (xyz[:, 2] <= high[2])
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(passing(ds, Box()), np.isfinite(xyz).all(axis=1))


@pytest.mark.parametrize("plane", [("x", "y"), ("z", "x")])
def test_polygons_equal_matplotlib(ds, plane):
    xyz = ds["position"][:, -1].values
    columns = xyz[:, ["xyz".index(name) for name in plane]]
    centre, size = np.nanmean(columns, axis=0), np.nanstd(columns, axis=0)
    turns = np.deg2rad(np.arange(0, 360, 36))
    radius = np.where(np.arange(10) % 2, 0.5, 1.5)[:, None]
    star = centre + size * radius * np.column_stack([np.cos(turns), np.sin(turns)])
    found = passing(ds, Polygon(tuple(map(tuple, star.tolist())), plane))
    wanted = Path(star).contains_points(np.nan_to_num(columns, nan=1.0))
    assert 0 < wanted.sum() < len(wanted)
    np.testing.assert_array_equal(found, wanted)


def test_polygons_that_cross_themselves_and_flat_sides():
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2.0]])
    x, y = np.array([1.0, 3.0, 1.0, np.nan, -1.0]), np.array([1.0, 1.0, 2.5, 1.0, 0.0])
    assert inside_polygon(x, y, corners=square).tolist() == [True, False, False, False, False]
    bow = np.array([[0, 0], [2, 2], [2, 0], [0, 2.0]])
    found = inside_polygon(np.array([0.2, 1.8, 1.0]), np.array([1.0, 1.0, 0.2]), corners=bow)
    assert found.tolist() == [True, True, False]


def test_and_or_not(ds):
    a, b = Range("efo", 20_000), Range("tim", None, float(np.median(ds["tim"].values)))
    first, second = passing(ds, a), passing(ds, b)
    np.testing.assert_array_equal(passing(ds, a & b), first & second)
    np.testing.assert_array_equal(passing(ds, a | b), first | second)
    np.testing.assert_array_equal(passing(ds, ~a), ~first)
    np.testing.assert_array_equal(passing(ds, ~(a | b) | (a & ~b)), ~second)
    np.testing.assert_array_equal(passing(ds, AnyOf(())), np.zeros(len(first), bool))
    np.testing.assert_array_equal(passing(ds, Valid()), ds["vld"].values)


def test_masks_add_up_and_are_recorded(ds):
    steps = {"valid": Valid(), "bright": Range("efo", 20_000), "early": Range("tim", None, 100.0)}
    found = mask_localizations(ds, steps)
    each = [found[f"mask_{name}"].values for name in steps]
    np.testing.assert_array_equal(found["selected"], np.all(each, axis=0))
    assert mask_names(found) == list(steps)
    assert [step["parameters"]["name"] for step in found.mfx.history[1:]] == list(steps)
    assert found.mfx.history[2]["parameters"]["condition"]["low"] == 20_000
    shuffled = found[sorted(found.variables, reverse=True)]
    assert mask_names(shuffled) == list(steps)
    compacted = compact(found)
    assert mask_names(compacted) == []
    assert compacted.sizes["localization"] == np.all(each, axis=0).sum()
    mask_localizations(compacted, steps)


def test_every_chunking_gives_the_same(ds):
    condition = Box(x=(0.0, 5e-6)) | Range("efo", 20_000, iteration=3)
    assert_chunk_invariant(
        lambda data: mask_localizations(data, {"it": condition}), four_chunkings(ds, "localization")
    )


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Range("efo", 2, 1), "above the high one"),
        (lambda: Range("efo", float("nan")), "NaN"),
        (lambda: Range("efo", closed="half"), "closed"),
        (lambda: Range("efo", unmeasured="maybe"), "unmeasured"),
        (lambda: Box(x=(2.0, 1.0)), "'x'"),
        (lambda: Polygon(((0, 0), (1, 1))), "three corners"),
        (lambda: Polygon(((0, 0), (1, 1), (1, np.inf))), "finite"),
        (lambda: Polygon(((0, 0), (1, 1), (1, 0)), ("x", "x")), "plane"),
    ],
)
def test_wrong_conditions(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_conditions_that_do_not_fit_the_data(ds):
    for condition, text in [
        (Range("nonsense"), "no field 'nonsense'"),
        (Range("efo", iteration=99), "iteration must be one of"),
        (Range("position", iteration=1), "one value a localization"),
    ]:
        with pytest.raises(ValueError, match=text):
            mask_localizations(ds, {"it": condition})
    with pytest.raises(ValueError, match="named like a variable"):
        mask_localizations(ds, {"two words": Valid()})
    with pytest.raises(ValueError, match="already"):
        mask_localizations(ds, [("it", Valid()), ("it", Valid())])
