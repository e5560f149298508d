"""The funnel against pandas, and against the stated numbers of real data."""

from __future__ import annotations

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.minflux.filtering.filters import filter_localizations
from mfxarray.minflux.filtering.funnel import funnel
from mfxarray.minflux.filtering.masks import Range, Valid, mask_localizations
from mfxarray.minflux.filtering.trace_masks import TraceLength
from mfxarray.testing import assert_same_bits, count_computes
from tests.samples import four_chunkings, localization_file

EFO = Range("efo", 13823.70184744663, 48355.829889892586, closed="left")
CFR = Range("cfr", -0.015163637960486809, 0.2715112942104868, closed="left")
LONG = TraceLength(4)


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    return mfx.open_minflux(localization_file(tmp_path_factory.mktemp("f")), chunk_bytes=300_000)


def test_counts(ds):
    found = mask_localizations(ds, {"valid": Valid(), "efo": Range("efo", 20_000), "long": LONG})
    table = funnel(found)
    assert table["step"].values.tolist() == ["all", "valid", "efo", "long"]
    tid, left = ds["tid"].values, np.ones(ds.sizes["localization"], bool)
    for place, name in enumerate(["valid", "efo", "long"], start=1):
        before, left = left, left & found[f"mask_{name}"].values
        assert table["localizations"][place] == left.sum()
        assert table["traces"][place] == len(np.unique(tid[left]))
        assert table["removed_localizations"][place] == before.sum() - left.sum()
    assert int(table["removed_traces"].sum()) == int(table["traces"][0] - table["traces"][-1])


def test_filters_without_a_name_come_last(ds):
    masked = mask_localizations(ds, {"valid": Valid()})
    found = filter_localizations(masked, bounds={"efo": (2e4, None)})
    table = funnel(found)
    assert table["step"].values.tolist() == ["all", "valid", "selected"]
    assert table["localizations"][-1] == int(found["selected"].sum())


def test_no_filters_at_all(ds):
    table = funnel(ds)
    assert table["step"].values.tolist() == ["all"]
    assert table["localizations"].values.tolist() == [ds.sizes["localization"]]


def test_one_pass_and_every_chunking(ds):
    conditions = {"valid": Valid(), "efo": Range("efo", 20_000)}
    tables = []
    for data in four_chunkings(ds, "localization"):
        found = mask_localizations(data, conditions)
        with count_computes() as computes:
            tables.append(funnel(found))
        assert len(computes) == 1
    for other in tables[1:]:
        assert_same_bits(tables[0], other)


def test_traces_that_come_back_and_washes(ds):
    order = np.random.default_rng(0).permutation(ds.sizes["localization"])
    shuffled = ds.compute().isel(localization=order).chunk(localization=400)
    conditions = {"valid": Valid(), "efo": Range("efo", 20_000)}
    wanted = funnel(mask_localizations(ds, conditions))
    assert_same_bits(funnel(mask_localizations(shuffled, conditions)), wanted)
    wash = ("localization", np.arange(len(order)) % 2)
    assert funnel(ds.assign(wash=wash))["traces"][0] > wanted["traces"][0]


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("steps", "rows"),
    [
        ({"valid": Valid(), "efo": EFO, "cfr": CFR}, [12580, 12580, 11064, 2432]),
        ({"long": LONG, "efo": EFO, "cfr": CFR}, [12580, 11903, 10468, 2360]),
        (
            {"long": LONG, "efo": EFO, "long_2": LONG, "cfr": CFR, "long_3": LONG},
            [12580, 11903, 10468, 10385, 2347, 1678],
        ),
    ],
)
def test_the_stated_numbers(data_dir, steps, rows):
    ds = mfx.open_minflux(data_dir / "minflux" / "2D_ValidOnly.npy", chunk_bytes=1_500_000)
    table = funnel(mask_localizations(ds, steps))
    assert table["localizations"].values.tolist() == rows
    assert table["traces"][0] == 1250


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("steps", "rows", "traces"),
    [
        ({"efo": EFO, "cfr": CFR}, [5812, 4654, 1589], [527, 504, 318]),
        ({"long": LONG, "efo": EFO, "cfr": CFR}, [5812, 5492, 4391, 1531], [527, 361, 359, 272]),
        (
            {"long": LONG, "efo": EFO, "long_2": LONG, "cfr": CFR, "long_3": LONG},
            [5812, 5492, 4391, 4334, 1521, 1280],
            [527, 361, 359, 336, 265, 138],
        ),
    ],
)
def test_the_3d_file_on_the_same_path(data_dir, steps, rows, traces):
    path = data_dir / "minflux" / "3D_ValidOnly.npy"
    ds = mfx.open_minflux(path, chunk_bytes=1_500_000)
    table = funnel(mask_localizations(ds, steps))
    assert table["localizations"].values.tolist() == rows
    assert table["traces"].values.tolist() == traces
    # and by numpy alone: cfr was last measured in iteration 6
    records = np.load(path, mmap_mode="r")["itr"]
    efo, cfr = records["efo"][:, -1], records["cfr"][:, 6]
    both = (efo >= EFO.low) & (efo < EFO.high) & (cfr >= CFR.low) & (cfr < CFR.high)
    assert both.sum() == 1589
