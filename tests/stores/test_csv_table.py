"""Csv tables; pandas reads them back and computes what must be in them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.minflux.traces.table import traces
from mfxarray.options import set_options
from mfxarray.stores.csv_table import write_csv, write_matlab_csv
from mfxarray.stores.vtu import write_vtu
from mfxarray.testing import raise_if_computes
from tests.stores import samples
from tests.stores.export_samples import LABELS, BlockError, failing, used, washes
from tests.stores.killed import kill_writer
from tests.stores.samples import names

SEED = [
    *("tid2", "tim", "std", "se", "nl", "cls_meas", "cls_all", "cls_merged_meas"),
    "cls_merged_all",
    *(f"{name}_{axis}" for name in ("ltr", "loc", "lnc", "std_xyz", "se_xyz") for axis in "xyz"),
    "wash",
]
MATLAB = ["x (m)", "y (m)", "z (m)", "t (s)", "trace id"]
COMBINED = [
    *("x (m)", "y (m)", "z (m)", "t (s)", "n loc/event"),
    *("sigma x (m)", "sigma y (m)", "sigma z (m)"),
]
LAYOUTS = ("plain", "seed", "matlab")


def with_drift(ds: xr.Dataset) -> xr.Dataset:
    """One wash, with positions that lie 5 nm beside the measured ones."""
    one = ds.isel(localization=ds["wash"].values == 0).drop_vars(["wash", "position_registered"])
    moved = one["position"] + np.array([5e-9, 0.0, 0.0])
    return one.assign(position_drift_corrected=moved)


def frame(ds: xr.Dataset, position: str = "position_registered") -> pd.DataFrame:
    """What an export may know of the localizations it writes."""
    rows = used(ds, position)
    found = {"wash": ds["wash"].values, "tid": ds["tid"].values, "tim": ds["tim"].values}
    for name, column in (
        ("ltr", position),
        ("loc", "position"),
        ("lnc", "position_uncorrected"),
    ):
        found |= {f"{name}_{axis}": ds[column].values[:, i] for i, axis in enumerate("xyz")}
    return pd.DataFrame(found)[rows]


def test_every_variable_of_localizations_is_in_the_plain_layout(tmp_path: Path) -> None:
    ds, _ = washes()
    write_csv(ds, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    rows = used(ds, "position")
    assert len(table) == rows.sum() < ds.sizes["localization"]
    for place, axis in enumerate("xyz"):
        column = table[f"position_registered_{axis} (m)"]
        np.testing.assert_array_equal(column, ds["position_registered"].values[rows, place])
    np.testing.assert_array_equal(table["efo (Hz)"], ds["efo"].values[rows])
    np.testing.assert_array_equal(table["tid"], ds["tid"].values[rows])
    np.testing.assert_array_equal(table["wash"], ds["wash"].values[rows])
    assert table["mask_registered"].dtype == bool
    assert table["eco"].dtype == np.int64
    assert names(tmp_path) == ["a.csv"]


def test_iterations_units_and_unknown_values_in_the_plain_layout(tmp_path: Path) -> None:
    ds = samples.table()
    ds["ext"].attrs["units"] = "m"
    write_csv(ds, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv", dtype={"tic_i3": "u8", "tic_i4": "u8"})
    rows = ds["vld"].values
    expected = ["vld", "efo_i3 (Hz)", "efo_i4 (Hz)", "tic_i3", "tic_i4", "eco_i3", "eco_i4"]
    assert list(table.columns[:7]) == expected
    assert [name for name in table.columns if name.startswith("ext")] == [
        f"ext_{i}_{axis} (m)" for i in ("i3", "i4") for axis in "xyz"
    ]
    for place, name in enumerate(("i3", "i4")):
        np.testing.assert_array_equal(table[f"efo_{name} (Hz)"], ds["efo"].values[rows, place])
        np.testing.assert_array_equal(table[f"tic_{name}"], ds["tic"].values[rows, place])
        for axis, letter in enumerate("xyz"):
            column = table[f"ext_{name}_{letter} (m)"].to_numpy(np.float32)
            np.testing.assert_array_equal(column, ds["ext"].values[rows, place, axis])
    assert "nan" not in (tmp_path / "a.csv").read_text()


def test_numbers_are_read_back_as_they_were(tmp_path: Path) -> None:
    bits = np.random.default_rng(1).integers(0, 2**64, 3000, dtype=np.uint64)
    values = bits.view(np.float64)
    values = np.concatenate([values[np.isfinite(values)], [0.0, -0.0, 5e-324, np.inf, -np.inf]])
    rows = len(values)
    ds = xr.Dataset(
        {
            "position": (("localization", "axis"), np.zeros((rows, 3))),
            "value": ("localization", values),
            "large": ("localization", np.arange(rows) + np.iinfo(np.int64).min),
        },
        {"tid": ("localization", np.zeros(rows, np.int32)), "tim": ("localization", values)},
    )
    write_csv(ds, tmp_path / "a.csv")
    lines = [line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()]
    place = lines[0].index("value")
    found = np.array([float(line[place]) for line in lines[1:]])
    np.testing.assert_array_equal(found.view(np.uint64), values.view(np.uint64))
    assert [int(line[lines[0].index("large")]) for line in lines[1:4]] == [
        -(2**63),
        1 - 2**63,
        2 - 2**63,
    ]


def test_localizations_are_summed_up_by_trace_in_the_layout_of_the_seed(tmp_path: Path) -> None:
    ds, _ = washes()
    write_csv(ds, tmp_path / "a.csv", layout="seed")
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table.columns) == SEED
    groups = frame(ds).groupby(["wash", "tid"])
    assert len(table) == groups.ngroups
    np.testing.assert_array_equal(table["tid2"], np.arange(len(table)))
    np.testing.assert_array_equal(table["nl"], groups.size())
    np.testing.assert_allclose(table["tim"], groups["tim"].mean(), rtol=1e-12)
    variance = 0.0
    for axis in "xyz":
        for name in ("ltr", "loc", "lnc"):
            mean = groups[f"{name}_{axis}"].mean()
            np.testing.assert_allclose(table[f"{name}_{axis}"], mean, rtol=1e-12)
        spread = groups[f"ltr_{axis}"].std(ddof=0).to_numpy()
        np.testing.assert_allclose(table[f"std_xyz_{axis}"], spread, rtol=1e-6, atol=1e-20)
        error = spread / np.sqrt(table["nl"])
        np.testing.assert_allclose(table[f"se_xyz_{axis}"], error, rtol=1e-6, atol=1e-20)
        variance = variance + spread**2 / 3
    several = table["nl"] > 1
    np.testing.assert_allclose(table["std"][several], np.sqrt(variance)[several], rtol=1e-6)
    assert (table[[name for name in SEED if name.startswith("cls")]] == -1).all().all()
    wash = [LABELS[number] for number, _ in groups.groups]
    assert list(table["wash"]) == wash


def test_a_table_of_traces_has_what_it_knows_in_the_layout_of_the_seed(tmp_path: Path) -> None:
    ds, _ = washes()
    table = traces(ds)
    table["cls_all"] = ("trace", np.arange(table.sizes["trace"]) % 4)
    write_csv(table, tmp_path / "a.csv", layout="seed")
    found = pd.read_csv(tmp_path / "a.csv")
    assert list(found.columns) == [name for name in SEED if name[:3] not in ("loc", "lnc")]
    np.testing.assert_array_equal(found["ltr_y"], table["centroid"].values[:, 1])
    np.testing.assert_array_equal(found["std"], table["spread_pooled"].values)
    np.testing.assert_array_equal(found["cls_all"], np.arange(len(found)) % 4)
    np.testing.assert_array_equal(found["nl"], table["n"].values)


def test_localizations_in_the_layout_of_matlab(tmp_path: Path) -> None:
    ds, _ = washes()
    write_csv(ds, tmp_path / "a.csv", layout="matlab")
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table.columns) == [*MATLAB, "wash"]
    rows = frame(ds, "position")
    np.testing.assert_array_equal(table["x (m)"], rows["loc_x"])
    np.testing.assert_array_equal(table["t (s)"], rows["tim"] - rows["tim"].iloc[0])
    np.testing.assert_array_equal(table["trace id"], rows["tid"])
    write_csv(ds, tmp_path / "b.csv", layout="matlab", position="position_registered")
    found = pd.read_csv(tmp_path / "b.csv")
    np.testing.assert_array_equal(found["z (m)"], frame(ds)["ltr_z"])


def test_the_three_tables_of_matlab(tmp_path: Path) -> None:
    ds = with_drift(washes()[0])
    paths = write_matlab_csv(ds, tmp_path / "ROI 1")
    assert [path.name for path in paths] == [
        "ROI 1.localizations.csv",
        "ROI 1.localizations-driftcorrected.csv",
        "ROI 1.localizations-driftcorrected-combined.csv",
    ]
    assert names(tmp_path) == sorted(path.name for path in paths)
    measured, corrected, combined = (pd.read_csv(path) for path in paths)
    assert list(measured.columns) == list(corrected.columns) == MATLAB
    assert list(combined.columns) == COMBINED
    rows = used(ds, "position")
    shift = corrected["x (m)"] - measured["x (m)"]
    np.testing.assert_allclose(shift, 5e-9, rtol=1e-6)
    np.testing.assert_array_equal(measured["y (m)"], ds["position"].values[rows, 1])
    groups = corrected.groupby("trace id")
    np.testing.assert_array_equal(combined["n loc/event"], groups.size())
    np.testing.assert_allclose(combined["x (m)"], groups["x (m)"].mean(), rtol=1e-12)
    np.testing.assert_allclose(combined["t (s)"], groups["t (s)"].mean(), rtol=1e-9, atol=1e-9)
    sigma = groups["y (m)"].std().fillna(0.0)
    np.testing.assert_allclose(combined["sigma y (m)"], sigma, rtol=1e-6)


def test_matlab_tables_need_positions_with_and_without_drift(tmp_path: Path) -> None:
    ds = with_drift(washes()[0])
    with pytest.raises(ValueError, match="call correct_drift first"):
        write_matlab_csv(ds.drop_vars("position_drift_corrected"), tmp_path / "a")
    attrs = {"provenance": '[{"step": "correct_drift", "parameters": {}}]'}
    with pytest.raises(ValueError, match="replace=False"):
        write_matlab_csv(
            ds.drop_vars("position_drift_corrected").assign_attrs(attrs), tmp_path / "a"
        )
    assert names(tmp_path) == []


@pytest.mark.parametrize("place", [0, 2])
def test_matlab_tables_are_written_all_or_none(tmp_path: Path, place: int) -> None:
    ds = with_drift(washes()[0])
    taken = write_matlab_csv(ds, tmp_path / "a")[place]
    kept = taken.read_bytes()
    for path in tmp_path.iterdir():
        if path != taken:
            path.unlink()
    with raise_if_computes(), pytest.raises(DataError, match="exists already"):
        write_matlab_csv(ds, tmp_path / "a")
    with pytest.raises(BlockError):
        write_matlab_csv(failing(ds, "position_drift_corrected"), tmp_path / "a", overwrite=True)
    assert names(tmp_path) == [taken.name]
    assert taken.read_bytes() == kept


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bytes_do_not_depend_on_chunks(tmp_path: Path, layout: str, scheduler: str) -> None:
    ds, _ = washes()
    found = set()
    for number, chunks in enumerate([7, 100, (1, 400, ds.sizes["localization"] - 401), -1]):
        path = tmp_path / f"{number}.csv"
        with dask.config.set(scheduler=scheduler, num_workers=2):
            write_csv(ds.chunk(localization=chunks), path, layout=layout)
        found.add(path.read_bytes())
    loaded = ds.compute()
    write_csv(loaded, tmp_path / "loaded.csv", layout=layout)
    with set_options(chunk_bytes=1000):
        write_csv(loaded, tmp_path / "cut.csv", layout=layout)
    found |= {(tmp_path / name).read_bytes() for name in ("loaded.csv", "cut.csv")}
    assert len(found) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_to_write_is_a_header(tmp_path: Path, layout: str) -> None:
    ds, _ = washes()
    header = tmp_path / "all.csv"
    write_csv(ds, header, layout=layout)
    none = xr.zeros_like(ds["selected"])
    write_csv(ds.assign(selected=none), tmp_path / "none.csv", layout=layout)
    write_csv(ds.isel(localization=slice(0, 0)), tmp_path / "empty.csv", layout=layout)
    first = header.read_text().splitlines()[0]
    assert (tmp_path / "none.csv").read_text() == (tmp_path / "empty.csv").read_text()
    assert (tmp_path / "none.csv").read_text() == f"{first}\n"


def test_masked_traces_are_left_out(tmp_path: Path) -> None:
    table = traces(washes()[0]).compute()
    chosen = np.arange(table.sizes["trace"]) % 3 == 0
    table["selected"] = ("trace", chosen)
    for layout in LAYOUTS:
        write_csv(table, tmp_path / f"{layout}.csv", layout=layout)
        assert len(pd.read_csv(tmp_path / f"{layout}.csv")) == chosen.sum()
    found = pd.read_csv(tmp_path / "seed.csv")
    np.testing.assert_array_equal(found["tid2"], np.flatnonzero(chosen))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_failed_write_leaves_nothing(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "a.csv"
    bad = failing(washes()[0], "position")
    with pytest.raises(BlockError):
        write_csv(bad, path, layout=layout)
    assert names(tmp_path) == []
    path.write_text("old")
    with pytest.raises(BlockError):
        write_csv(bad, path, layout=layout, overwrite=True)
    assert names(tmp_path) == ["a.csv"]
    assert path.read_text() == "old"


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    ds, _ = washes()
    path = tmp_path / "a.csv"
    path.write_text("old")
    with raise_if_computes(), pytest.raises(DataError, match="exists already"):
        write_csv(ds, path)
    write_csv(ds, path, overwrite=True)
    assert path.read_text() != "old"
    with raise_if_computes(), pytest.raises(DataError, match="does not exist"):
        write_csv(ds, tmp_path / "no" / "a.csv")
    with raise_if_computes(), pytest.raises(DataError, match="is a folder"):
        write_csv(ds, tmp_path)


def test_wrong_parameters(tmp_path: Path) -> None:
    ds, _ = washes()
    path = tmp_path / "a.csv"
    with pytest.raises(ValueError, match="one of plain, seed, matlab"):
        write_csv(ds, path, layout="excel")
    with pytest.raises(ValueError, match="position="):
        write_csv(ds, path, position="position")
    with pytest.raises(ValueError, match="no positions called 'efo'"):
        write_csv(ds, path, layout="matlab", position="efo")
    with pytest.raises(ValueError, match="table of traces are needed"):
        write_csv(samples.ions().to_dataset(), path)
    with pytest.raises(ValueError, match="'position'"):
        write_csv(ds.drop_vars("position"), path)
    for layout in ("seed", "matlab"):
        with pytest.raises(ValueError, match="lacks spread"):
            write_csv(traces(ds).drop_vars("spread"), path, layout=layout)
    complex_one = ds.assign(odd=ds["efo"].astype(complex))
    with pytest.raises(ValueError, match="odd has dtype complex128"):
        write_csv(complex_one, path)
    assert names(tmp_path) == []


def test_text_is_no_formula_and_breaks_no_row(tmp_path: Path) -> None:
    ds, _ = washes()
    labels = ['=HYPERLINK("http://x")', 'a,"b"\nc', "@cmd|' /C calc'!A0" + "z" * 500]
    ds = ds.assign_attrs(washes=labels)
    write_csv(ds, tmp_path / "a.csv", layout="matlab")
    table = pd.read_csv(tmp_path / "a.csv")
    assert len(table) == used(ds, "position").sum()
    first, second, third = table["wash"].unique()
    assert first == '\'=HYPERLINK("http://x")'
    assert second == 'a,"b"_c'
    assert third.startswith("'@cmd")
    assert len(third) < 130
    hostile = ds.rename(efo='=1+1,"\n').drop_attrs(deep=False)
    write_csv(hostile, tmp_path / "b.csv")
    found = pd.read_csv(tmp_path / "b.csv")
    assert "'=1+1,\"_ (Hz)" in found.columns
    assert len(found) == len(table)


def test_columns_of_text_are_written_as_text(tmp_path: Path) -> None:
    table = traces(washes()[0]).compute()
    words = np.array(["-1", "ä", "ok"], object)[np.arange(table.sizes["trace"]) % 3]
    table["word"] = ("trace", words)
    write_csv(table, tmp_path / "a.csv")
    found = pd.read_csv(tmp_path / "a.csv")["word"]
    assert list(found[:3]) == ["'-1", "ä", "ok"]


def test_labels_are_told_apart_and_numbers_without_labels_are_refused(tmp_path: Path) -> None:
    ds, _ = washes()
    write_csv(ds.assign_attrs(washes=["P1", "P1", "P1"]), tmp_path / "a.csv", layout="seed")
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table["wash"].unique()) == ["P1", "P1_2", "P1_3"]
    bare = ds.drop_attrs(deep=False)
    write_csv(bare, tmp_path / "b.csv", layout="seed")
    assert list(pd.read_csv(tmp_path / "b.csv")["wash"].unique()) == ["wash 0", "wash 1", "wash 2"]
    with pytest.raises(ValueError, match="there is a wash 2, and"):
        write_csv(ds.assign_attrs(washes=["P1", "P2"]), tmp_path / "c.csv", layout="seed")
    assert names(tmp_path) == ["a.csv", "b.csv"]


def test_one_data_set_without_washes(tmp_path: Path) -> None:
    ds = with_drift(washes()[0]).assign_attrs(data_set="cell 7")
    write_csv(ds, tmp_path / "a.csv", layout="seed")
    table = pd.read_csv(tmp_path / "a.csv")
    assert set(table["wash"]) == {"cell 7"}
    # the most corrected positions are those without drift
    np.testing.assert_allclose(table["ltr_x"] - table["loc_x"], 5e-9, rtol=1e-6)


@pytest.mark.realdata
def test_a_real_file(tmp_path: Path, data_dir: Path) -> None:
    import mfxarray as mfx

    source = data_dir / "minflux" / "2D_ValidOnly.npy"
    records = np.load(source)
    ds = mfx.open_minflux(source)
    write_csv(ds, tmp_path / "a.csv", layout="matlab")
    table = pd.read_csv(tmp_path / "a.csv")
    assert len(table) == 12580
    np.testing.assert_array_equal(table["x (m)"], records["itr"]["loc"][:, -1, 0])
    np.testing.assert_array_equal(table["t (s)"], records["tim"] - records["tim"][0])
    write_csv(ds, tmp_path / "b.csv", layout="seed")
    seed = pd.read_csv(tmp_path / "b.csv")
    assert len(seed) == 1250
    assert seed["nl"].sum() == 12580
    long = seed[seed["nl"] >= 4]
    np.testing.assert_allclose(long["std_xyz_x"].median(), 3.0e-9, rtol=0.1)


@pytest.mark.parametrize(("writer", "name"), [("write_csv", "a.csv"), ("write_vtu", "a.vtu")])
def test_a_killed_writer_leaves_no_file_of_that_name(
    tmp_path: Path, writer: str, name: str
) -> None:
    kill_writer(writer, tmp_path, name, data="washes()[0]")
    assert [entry for entry in names(tmp_path) if not entry.startswith(".")] == []
    # what it left is in the way of nobody
    write = {"write_csv": write_csv, "write_vtu": write_vtu}[writer]
    write(washes()[0], tmp_path / name)
    assert name in names(tmp_path)


@pytest.mark.cluster
def test_a_cluster_writes_the_same_bytes(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    ds, _ = washes()

    def write_all(folder: Path) -> dict[str, bytes]:
        folder.mkdir()
        for layout in LAYOUTS:
            write_csv(ds, folder / f"{layout}.csv", layout=layout)
        write_vtu(ds, folder / "a.vtu")
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    here = write_all(tmp_path / "here")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as at,
        distributed.Client(at),
    ):
        there = write_all(tmp_path / "there")
    assert there == here


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    def peak(n_blocks: int) -> int:
        size = 20_000
        rows = da.arange(size * n_blocks, chunks=size)
        ds = xr.Dataset(
            {"position": (("localization", "axis"), da.stack([rows * 1e-9] * 3, axis=1))},
            {"tid": ("localization", rows // 50), "tim": ("localization", rows * 1e-3)},
        )
        tracemalloc.start()
        with dask.config.set(scheduler="threads", num_workers=2):
            write_csv(ds, tmp_path / f"{n_blocks}.csv", layout="matlab")
            write_vtu(ds, tmp_path / f"{n_blocks}.vtu")
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    few, many = peak(5), peak(40)
    # a table of 40 blocks is 28 MB more
    assert many < few + 8_000_000
