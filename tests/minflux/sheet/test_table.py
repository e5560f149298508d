"""The table of statistics: one row a file, units in the names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.minflux.sheet.sheet import statistics
from mfxarray.minflux.sheet.table import statistics_table
from tests.samples import localization_file


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    found = []
    for number in (0, 1):
        (folder / str(number)).mkdir()
        settings = {"localizations": 900, "seed": number, "dimensions": 3 - number}
        path = localization_file(folder / str(number), **settings)
        found.append(mfx.open_minflux(path))
    return found


def test_one_row_a_file(runs):
    sheets = [statistics(ds, drift=False) for ds in runs]
    table = statistics_table(sheets, ["first", "second"])
    assert table["name"].tolist() == ["first", "second"]
    assert table["localizations"].tolist() == [int(sheet["localizations"]) for sheet in sheets]
    assert table["dimensions"].tolist() == [3, 2]
    spreads = [float(sheet["sigma_x_median"]) * 1e9 for sheet in sheets]
    np.testing.assert_array_equal(table["sigma_x_median_nm"], spreads)
    assert np.isnan(table["sigma_z_median_nm"][1])
    assert np.isfinite(table["sigma_z_median_nm"][0])
    np.testing.assert_array_equal(table["fbg_median_Hz"], [sheet["fbg_median"] for sheet in sheets])
    assert table["drift_span_x_nm"].isna().all()
    assert table["t_scan_median_s"].gt(0).all()
    assert table["notes"][0].startswith("drift: not looked for; cfr: of iteration 6")
    for name, dtype in table.dtypes.items():
        assert name in ("name", "notes") or dtype.kind in "if"


def test_that_units_are_in_names(runs):
    table = statistics_table(runs[:1], drift=False)
    wanted = "traces fraction_valid dimensions duration_s event_rate_Hz fbg_median_Hz cfr_median "
    wanted += "t_scan_median_s t_loc_median_s localizations_per_trace_mean sigma_r_median_nm "
    wanted += "sigma_r_count standard_error_z_median_nm standard_error_xyz_median_nm "
    wanted += "frc_resolution_nm frc_combined_resolution_nm drift_span_z_nm drift_residual_y_nm"
    assert set(wanted.split()) <= set(table.columns)
    # neither pictures nor histograms
    assert len(table.columns) < 45


def test_localizations_and_sheets_alike(runs):
    made = statistics_table(runs, drift=False, preset="paint21")
    sheets = [statistics(ds, drift=False, preset="paint21").compute() for ds in runs]
    pd.testing.assert_frame_equal(made, statistics_table(sheets))
    assert made["name"].tolist() == ["run.npy", "run.npy"]


def test_wrong_input(runs):
    sheet = statistics(runs[0], drift=False)
    with pytest.raises(ValueError, match="need as many names"):
        statistics_table([sheet], ["a", "b"])
    with pytest.raises(ValueError, match="leave out drift"):
        statistics_table([sheet], drift=False)
    with pytest.raises(ValueError, match="results of statistics"):
        statistics_table([xr.Dataset()])


def test_nothing(runs):
    assert len(statistics_table([])) == 0
