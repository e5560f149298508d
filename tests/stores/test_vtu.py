"""Files for ParaView, read back by a small reader of our own, and by VTK where it is installed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.minflux.traces.table import traces
from mfxarray.options import set_options
from mfxarray.stores.csv_table import write_csv
from mfxarray.stores.vtu import write_vtu
from mfxarray.testing import raise_if_computes
from tests.stores import samples
from tests.stores.export_samples import BlockError, failing, used, washes
from tests.stores.samples import names

TYPES = {
    "Float64": "<f8",
    "Float32": "<f4",
    "Int64": "<i8",
    "Int32": "<i4",
    "UInt8": "u1",
    "UInt32": "<u4",
    "UInt64": "<u8",
    "Int16": "<i2",
}
UNITS = {"m": 1.0, "um": 1e6, "nm": 1e9}


@dataclass
class Grid:
    n_points: int
    points: np.ndarray[Any, Any]
    cells: dict[str, np.ndarray[Any, Any]]
    data: dict[str, np.ndarray[Any, Any]]
    facts: dict[str, float]


def read(path: Path) -> Grid:
    """Read a .vtu file with appended raw data as VTK's documentation describes it."""
    raw = path.read_bytes()
    mark = raw.index(b'<AppendedData encoding="raw">')
    root = ET.fromstring(raw[:mark] + b"</VTKFile>")
    assert root.attrib == {
        "type": "UnstructuredGrid",
        "version": "1.0",
        "byte_order": "LittleEndian",
        "header_type": "UInt64",
    }
    start = raw.index(b"_", mark) + 1
    end = start

    def array(element: ET.Element) -> np.ndarray[Any, Any]:
        nonlocal end
        assert element.get("format") == "appended"
        place = start + int(element.get("offset", ""))
        size = int.from_bytes(raw[place : place + 8], "little")
        values = np.frombuffer(raw[place + 8 : place + 8 + size], TYPES[element.get("type", "")])
        end = max(end, place + 8 + size)
        width = int(element.get("NumberOfComponents", 1))
        return values.reshape(-1, width) if width > 1 else values

    piece = root.find("UnstructuredGrid/Piece")
    assert piece is not None
    assert piece.get("NumberOfPoints") == piece.get("NumberOfCells")
    parts = {
        name: {e.get("Name", ""): array(e) for e in piece.findall(f"{name}/DataArray")}
        for name in ("Points", "Cells", "PointData")
    }
    facts = {
        e.get("Name", ""): float(e.text or "")
        for e in root.findall("UnstructuredGrid/FieldData/DataArray")
    }
    assert raw[end:] == b"\n</AppendedData>\n</VTKFile>\n"
    (points,) = parts["Points"].values()
    count = int(piece.get("NumberOfPoints", ""))
    assert all(len(values) == count for part in parts.values() for values in part.values())
    return Grid(count, points, parts["Cells"], parts["PointData"], facts)


@pytest.mark.parametrize("unit", list(UNITS))
def test_localizations_are_points_in_the_wanted_unit(tmp_path: Path, unit: str) -> None:
    ds, _ = washes()
    paths = write_vtu(ds, tmp_path / "all.vtu", unit=unit, fields=["efo", "radius"])
    assert [path.name for path in paths] == [
        "all.vtu",
        "all_220510-Syp_P1.vtu",
        "all_220510-ATG9_P2.vtu",
        "all_P3.vtu",
    ]
    rows = used(ds)
    grid = read(paths[0])
    expected = ds["position_registered"].values[rows] * UNITS[unit]
    np.testing.assert_array_equal(grid.points, expected)
    np.testing.assert_array_equal(grid.data["radius"], ds["radius"].values[rows] * UNITS[unit])
    np.testing.assert_array_equal(grid.data["efo"], ds["efo"].values[rows])
    np.testing.assert_array_equal(grid.data["tim"], ds["tim"].values[rows])
    np.testing.assert_array_equal(grid.data["tid"], ds["tid"].values[rows])
    np.testing.assert_array_equal(grid.data["wash"], ds["wash"].values[rows] + 1)
    assert grid.data["tid"].dtype == grid.data["wash"].dtype == np.int32
    assert grid.facts.pop("metres_per_unit") == pytest.approx(1 / UNITS[unit], rel=1e-15)
    assert grid.facts == {"wash 220510-Syp_P1": 1, "wash 220510-ATG9_P2": 2, "wash P3": 3}
    assert names(tmp_path) == sorted(path.name for path in paths)


def test_every_point_is_a_cell(tmp_path: Path) -> None:
    ds, _ = washes()
    for path in write_vtu(ds, tmp_path / "a.vtu"):
        grid = read(path)
        np.testing.assert_array_equal(grid.cells["connectivity"], np.arange(grid.n_points))
        np.testing.assert_array_equal(grid.cells["offsets"], np.arange(grid.n_points) + 1)
        assert (grid.cells["types"] == 1).all()


@pytest.mark.parametrize("rows", ["localization", "trace"])
def test_the_washes_together_are_all_points(tmp_path: Path, rows: str) -> None:
    ds, _ = washes()
    whole, *parts = (
        read(path) for path in write_vtu(traces(ds) if rows == "trace" else ds, tmp_path / "a.vtu")
    )
    np.testing.assert_array_equal(np.concatenate([part.points for part in parts]), whole.points)
    for name, values in whole.data.items():
        joined = np.concatenate([part.data[name] for part in parts])
        np.testing.assert_array_equal(joined, values)
    for number, part in enumerate(parts, 1):
        assert (part.data["wash"] == number).all()
        assert part.n_points > 0


def test_rows_of_washes_may_be_mixed(tmp_path: Path) -> None:
    ds, _ = washes()
    order = np.random.default_rng(3).permutation(ds.sizes["localization"])
    mixed = ds.isel(localization=order).chunk(localization=60)
    whole, *parts = (read(path) for path in write_vtu(mixed, tmp_path / "a.vtu"))
    rows = used(mixed)
    np.testing.assert_array_equal(whole.points, mixed["position_registered"].values[rows])
    for number, part in enumerate(parts):
        own = rows & (mixed["wash"].values == number)
        np.testing.assert_array_equal(part.points, mixed["position_registered"].values[own])
        np.testing.assert_array_equal(part.data["tim"], mixed["tim"].values[own])


def test_numbers_of_traces_name_wash_and_id(tmp_path: Path) -> None:
    ds, _ = washes()
    grid = read(write_vtu(ds, tmp_path / "a.vtu")[0])
    table = pd.DataFrame({name: grid.data[name] for name in ("tid2", "wash", "tid")})
    pairs = table.drop_duplicates()
    assert pairs["tid2"].is_unique
    np.testing.assert_array_equal(np.sort(pairs["tid2"]), np.arange(len(pairs)))
    assert not pairs.duplicated(["wash", "tid"]).any()
    assert grid.data["tid2"].dtype == np.int64
    # the same number in the table of the seed
    write_csv(ds, tmp_path / "a.csv", layout="seed")
    seed = pd.read_csv(tmp_path / "a.csv").set_index("tid2")
    means = table.assign(x=grid.points[:, 0]).groupby("tid2")["x"].mean()
    np.testing.assert_allclose(means, seed.loc[means.index, "ltr_x"], rtol=1e-12)


def test_traces_have_errors_and_counts(tmp_path: Path) -> None:
    table = traces(washes()[0], ddof="python").compute()
    grid = read(write_vtu(table, tmp_path / "a.vtu", unit="nm")[0])
    np.testing.assert_array_equal(grid.points, table["centroid"].values * 1e9)
    error = table["standard_error_pooled"].values * 1e9
    np.testing.assert_array_equal(grid.data["se"], error)
    np.testing.assert_array_equal(grid.data["se_norm"], error / np.nanmax(error))
    counts = table["n"].values
    np.testing.assert_array_equal(grid.data["nl"], counts)
    np.testing.assert_array_equal(grid.data["nl_norm"], counts / counts.max())
    np.testing.assert_array_equal(grid.data["tid2"], np.arange(len(counts)))
    np.testing.assert_array_equal(grid.data["tim"], table["mean_time"].values)
    np.testing.assert_array_equal(grid.data["photons"], table["photons"].values)
    for name in ("nl", "tid2", "cls_all", "cls_meas", "photons"):
        assert grid.data[name].dtype == np.int64
    assert (grid.data["cls_merged_all"] == -1).all()


def test_norms_are_of_all_washes(tmp_path: Path) -> None:
    table = traces(washes()[0], ddof="python").compute()
    whole, *parts = (read(path) for path in write_vtu(table, tmp_path / "a.vtu"))
    assert whole.data["nl_norm"].max() == 1.0
    assert min(part.data["nl_norm"].max() for part in parts) < 1.0
    single = table.isel(trace=(table["n"].values == 1) & (table["wash"].values == 0))
    grid = read(write_vtu(single, tmp_path / "b.vtu")[0])
    # nothing to divide by
    assert (grid.data["se_norm"] == 0).all()


def test_a_wash_without_points_is_an_empty_file(tmp_path: Path) -> None:
    ds, _ = washes()
    only = ds.assign(selected=ds["selected"] & (ds["wash"] == 1))
    whole, first, second, third = (read(path) for path in write_vtu(only, tmp_path / "a.vtu"))
    assert first.n_points == third.n_points == 0
    assert first.points.shape == (0, 3)
    assert second.n_points == whole.n_points > 0
    assert set(first.data) == set(whole.data)


@pytest.mark.parametrize("rows", ["localization", "trace"])
def test_nothing_at_all(tmp_path: Path, rows: str) -> None:
    ds, _ = washes()
    none = (traces(ds) if rows == "trace" else ds).isel({rows: slice(0, 0)})
    for path in write_vtu(none, tmp_path / "a.vtu"):
        assert read(path).n_points == 0


def test_one_data_set_is_one_file(tmp_path: Path) -> None:
    ds = washes()[0]
    one = ds.isel(localization=ds["wash"].values == 0).drop_vars("wash")
    (path,) = write_vtu(one.assign_attrs(data_set="cell"), tmp_path / "a.vtu")
    grid = read(path)
    assert grid.facts["wash cell"] == 1
    assert (grid.data["wash"] == 1).all()
    assert names(tmp_path) == ["a.vtu"]


def test_positions_and_fields_may_be_chosen(tmp_path: Path) -> None:
    ds, _ = washes()
    flags = ds.assign(
        half=("localization", np.arange(ds.sizes["localization"], dtype=np.float16)),
        cls_all=("localization", np.arange(ds.sizes["localization"]) % 5),
    )
    path = write_vtu(flags, tmp_path / "a.vtu", position="position", fields=["vld", "half"])[0]
    grid = read(path)
    rows = used(ds, "position")
    np.testing.assert_array_equal(grid.points, ds["position"].values[rows])
    assert grid.data["vld"].dtype == np.uint8
    assert (grid.data["vld"] == 1).all()
    assert grid.data["half"].dtype == np.float32
    np.testing.assert_array_equal(grid.data["cls_all"], flags["cls_all"].values[rows])
    assert set(grid.data) == {"tid2", "tid", "tim", "vld", "half", "cls_all", "wash"}


def test_the_iteration_that_tells(tmp_path: Path) -> None:
    ds = samples.table().assign_attrs(cfr_iteration=None)
    ds["cfr"] = ds["efo"]
    grid = read(write_vtu(ds, tmp_path / "a.vtu")[0])
    rows = ds["vld"].values
    np.testing.assert_array_equal(grid.points, ds["position"].values[rows, -1])
    np.testing.assert_array_equal(grid.data["efo"], ds["efo"].values[rows, -1])
    # cfr was measured nowhere
    assert set(grid.data) == {"tid2", "tid", "tim", "efo", "eco", "wash"}


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize("rows", ["localization", "trace"])
def test_bytes_do_not_depend_on_chunks(tmp_path: Path, rows: str, scheduler: str) -> None:
    ds, _ = washes()
    data = traces(ds).compute() if rows == "trace" else ds
    size = data.sizes[rows]
    found = set()
    for number, chunks in enumerate([7, (1, size // 2, size - 1 - size // 2), -1, None]):
        folder = tmp_path / str(number)
        folder.mkdir()
        with dask.config.set(scheduler=scheduler, num_workers=2), set_options(chunk_bytes=2000):
            told = data.compute() if chunks is None else data.chunk({rows: chunks})
            paths = write_vtu(told, folder / "a.vtu", unit="nm")
        found.add(tuple(path.read_bytes() for path in paths))
    assert len(found) == 1


def test_labels_of_any_kind_stay_in_the_folder(tmp_path: Path) -> None:
    ds, _ = washes()
    labels = ["../../out", 'a/b\\c:*?"<>|&', "x" * 400]
    paths = write_vtu(ds.assign_attrs(washes=labels), tmp_path / "a.vtu")
    assert all(path.parent == tmp_path for path in paths)
    assert names(tmp_path) == sorted(path.name for path in paths)
    assert [len(path.name) < 80 for path in paths] == [True] * 4
    assert 'wash a/b\\c:*?"<>|&' in read(paths[0]).facts
    odd = ["same", "same", "SAME"]
    found = write_vtu(ds.assign_attrs(washes=odd), tmp_path / "b.vtu")
    assert len({path.name.casefold() for path in found}) == 4
    nothing = write_vtu(ds.assign_attrs(washes=["", "..", "\x00"]), tmp_path / "c.vtu")
    assert len({path.name for path in nothing}) == 4


def test_names_of_fields_are_escaped(tmp_path: Path) -> None:
    ds, _ = washes()
    name = '"/><a b="&\n'
    path = write_vtu(ds.rename(efo=name), tmp_path / "a.vtu", fields=[name])[0]
    assert '"/><a b="&_' in read(path).data


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"unit": "mm"}, "unit must be one of m, um, nm, not 'mm'"),
        ({"unit": ""}, "unit must be one of"),
        ({"position": "nothing"}, "no positions called 'nothing'"),
        ({"fields": ["nothing"]}, "'nothing' is not one number"),
        ({"fields": ["registration_std"]}, "is not one number"),
        ({"fields": ["tid"]}, "of its own"),
    ],
)
def test_wrong_parameters(tmp_path: Path, choices: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_vtu(washes()[0], tmp_path / "a.vtu", **choices)
    assert names(tmp_path) == []


def test_wrong_data(tmp_path: Path) -> None:
    ds, _ = washes()
    with pytest.raises(ValueError, match=r"must end in \.vtu"):
        write_vtu(ds, tmp_path / "a.vtk")
    with pytest.raises(ValueError, match="table of traces are needed"):
        write_vtu(samples.ions().to_dataset(), tmp_path / "a.vtu")
    with pytest.raises(ValueError, match="lacks centroid"):
        write_vtu(traces(ds).drop_vars("centroid"), tmp_path / "a.vtu")
    with pytest.raises(ValueError, match="position= chooses"):
        write_vtu(traces(ds), tmp_path / "a.vtu", position="position")
    with pytest.raises(ValueError, match="there is a wash 2, and"):
        write_vtu(ds.assign_attrs(washes=["P1", "P2"]), tmp_path / "a.vtu")
    with pytest.raises(ValueError, match="numbered from 0"):
        write_vtu(ds.drop_attrs(deep=False).assign_coords(wash=ds["wash"] - 1), tmp_path / "a.vtu")
    text = ds.assign(word=("localization", np.full(ds.sizes["localization"], "a")))
    with pytest.raises(ValueError, match="dtype <U1"):
        write_vtu(text, tmp_path / "a.vtu", fields=["word"])
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.vtu", "a_P3.vtu"])
def test_no_file_is_replaced_unasked(tmp_path: Path, name: str) -> None:
    ds, _ = washes()
    (tmp_path / name).write_text("old")
    with raise_if_computes(), pytest.raises(DataError, match="exists already"):
        write_vtu(ds, tmp_path / "a.vtu")
    assert names(tmp_path) == [name]
    paths = write_vtu(ds, tmp_path / "a.vtu", overwrite=True)
    assert read(tmp_path / name).n_points > 0
    assert names(tmp_path) == sorted(path.name for path in paths)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    bad = failing(washes()[0])
    with pytest.raises(BlockError):
        write_vtu(bad, tmp_path / "a.vtu")
    assert names(tmp_path) == []
    (tmp_path / "a_P3.vtu").write_text("old")
    with pytest.raises(BlockError):
        write_vtu(bad, tmp_path / "a.vtu", overwrite=True)
    assert names(tmp_path) == ["a_P3.vtu"]
    assert (tmp_path / "a_P3.vtu").read_text() == "old"


def test_vtk_reads_the_same(tmp_path: Path) -> None:
    vtk = pytest.importorskip("vtk")
    numpy_support = pytest.importorskip("vtk.util.numpy_support")
    ds, _ = washes()
    only = ds.assign(selected=ds["selected"] & (ds["wash"] > 0))
    for path in write_vtu(only, tmp_path / "a.vtu", unit="nm"):
        grid = read(path)
        reader = vtk.vtkXMLUnstructuredGridReader()
        reader.SetFileName(str(path))
        reader.Update()
        found = reader.GetOutput()
        assert reader.GetErrorCode() == 0
        assert found.GetNumberOfPoints() == found.GetNumberOfCells() == grid.n_points
        data = found.GetPointData()
        assert data.GetNumberOfArrays() == len(grid.data)
        if grid.n_points:
            points = numpy_support.vtk_to_numpy(found.GetPoints().GetData())
            np.testing.assert_array_equal(points, grid.points)
            for name, values in grid.data.items():
                array = numpy_support.vtk_to_numpy(data.GetArray(name))
                np.testing.assert_array_equal(array, values)


def test_meshio_reads_the_same(tmp_path: Path) -> None:
    meshio = pytest.importorskip("meshio")
    for path in write_vtu(washes()[0], tmp_path / "a.vtu"):
        grid, found = read(path), meshio.read(path)
        np.testing.assert_array_equal(found.points, grid.points)
        for name, values in grid.data.items():
            np.testing.assert_array_equal(found.point_data[name], values)


@pytest.mark.realdata
def test_a_real_file(tmp_path: Path, data_dir: Path) -> None:
    import mfxarray as mfx

    source = data_dir / "minflux" / "2D_ValidOnly.npy"
    records = np.load(source)
    ds = mfx.open_minflux(source)
    grid = read(write_vtu(ds, tmp_path / "a.vtu", unit="nm")[0])
    assert grid.n_points == 12580
    np.testing.assert_array_equal(grid.points, records["itr"]["loc"][:, -1] * 1e9)
    assert grid.data["tid2"].max() == 1249
    np.testing.assert_array_equal(grid.data["eco"], records["itr"]["eco"][:, -1])
    table: xr.Dataset = traces(ds)
    points = read(write_vtu(table, tmp_path / "t.vtu", unit="um")[0])
    assert points.n_points == 1250
    assert points.data["nl"].sum() == 12580
