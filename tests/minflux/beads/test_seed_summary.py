"""The seed's table of traces, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mfxarray.minflux.beads.seed_summary import CLUSTERS, seed_summary, with_position
from mfxarray.minflux.traces.table import traces
from mfxarray.testing import assert_chunk_invariant, raise_if_computes
from tests.stores.export_samples import used, washes


def test_means_of_all_positions_are_over_the_same_localizations():
    ds, _ = washes()
    table = seed_summary(ds, "position_registered").compute()
    rows = used(ds)
    keys = {name: ds[name].values[rows] for name in ("wash", "tid")}
    columns = {
        "ltr": "position_registered",
        "loc": "position",
        "lnc": "position_uncorrected",
    }
    for name, ours in columns.items():
        frame = pd.DataFrame({**keys, "y": ds[ours].values[rows, 1]}).groupby(["wash", "tid"])["y"]
        np.testing.assert_allclose(table[name].values[:, 1], frame.mean(), rtol=1e-12)
        np.testing.assert_array_equal(table["nl"].values, frame.size())
    spread = (
        pd.DataFrame({**keys, "y": ds["position_registered"].values[rows, 1]})
        .groupby(["wash", "tid"])["y"]
        .std(ddof=0)
    )
    np.testing.assert_allclose(table["std_xyz"].values[:, 1], spread, rtol=1e-6, atol=1e-20)


def test_positions_that_are_not_measured_are_unknown():
    ds, _ = washes()
    tid = int(ds["tid"].values[0])
    first = (ds["tid"].values == tid) & (ds["wash"].values == 0)
    lnc = ds["position_uncorrected"].values.copy()
    lnc[first] = np.nan
    table = seed_summary(ds.assign(position_uncorrected=(("localization", "axis"), lnc)))
    assert np.isnan(table["lnc"].values[0]).all()
    assert np.isfinite(table["loc"].values[0]).all()
    assert np.isfinite(table["lnc"].values[1:]).all()


def test_what_there_is_of_a_table():
    ds, _ = washes()
    table = traces(ds, ddof=1)
    found = seed_summary(table)
    assert "loc" not in found
    np.testing.assert_array_equal(found["std"].values, table["spread_pooled"].values)
    np.testing.assert_array_equal(found["tid2"].values, np.arange(table.sizes["trace"]))
    for name in CLUSTERS:
        assert found[name].dtype == np.int64
        assert (found[name].values == -1).all()
    np.testing.assert_array_equal(found["wash"].values, table["wash"].values)
    with pytest.raises(ValueError, match="lacks mean_time"):
        seed_summary(table.drop_vars("mean_time"))


def test_a_summary_of_a_table_is_lazy():
    table = traces(washes()[0])
    with raise_if_computes():
        found = seed_summary(table)
    assert found["ltr"].chunks is not None


def test_bits_do_not_depend_on_chunks():
    ds, _ = washes()
    parts = [ds.chunk(localization=size) for size in (7, 64, 1000, -1)]
    assert_chunk_invariant(lambda one: seed_summary(one, "position_registered"), parts)


def test_other_positions_restrict_what_counts():
    ds, _ = washes()
    assert with_position(ds, "position") is ds
    told = with_position(ds, "position_registered")
    np.testing.assert_array_equal(told["position"].values, ds["position_registered"].values)
    # a localization without position does not count because it was registered
    assert not told["selected"].values[~np.isfinite(ds["position"].values[:, 0])].any()
    assert not told["selected"].values[~ds["vld"].values].any()
