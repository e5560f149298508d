"""Scans as labelled data."""

from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.mims.header import header_of, read_mims_header
from mfxarray.mims.scans import open_mims_scan
from mfxarray.provenance import history
from tests.formats.im.scan_files import scan_bytes


def opened(folder: Path, raw: bytes) -> xr.Dataset:
    (folder / "a.is").write_bytes(raw)
    return open_mims_scan(folder / "a.is")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["beamstability.bs", "is01 R1 KH03-27 01.is"])
def test_real_files_against_others(data_dir: Path, name: str) -> None:
    path = data_dir / "mims" / name
    known = json.loads((data_dir / "mims" / "facts.json").read_text())[name]["sims_2_0_2"]
    found = open_mims_scan(path)
    assert list(found["rate"].shape) == known["shape"]
    assert found["rate"].dtype == known["dtype"]
    assert found["detector"].values.tolist() == known["labels"]
    assert found["mass"].values.tolist() == known["masses"]
    assert found.attrs["date"] == known["date"].replace(" ", "T")[:16]
    assert found["time"].dims == ("point",)
    assert found["time"].attrs["units"] == "s"


@pytest.mark.realdata
def test_shorter_traces_end_in_nan(data_dir: Path) -> None:
    found = open_mims_scan(data_dir / "mims" / "beamstability.bs")
    assert found["points"].values.tolist() == [1165, 1164, 1164, 1164, 1164, 1164]
    assert np.isnan(found["rate"].values).sum() == 5
    assert np.isnan(found["rate"].values[1:, -1]).all()
    assert found["rate"].values[0, 0] == pytest.approx(9514.086174242424, rel=1e-15)
    assert found["time"].values[-1] == pytest.approx(629.1)


@pytest.mark.realdata
def test_energy_scan(data_dir: Path) -> None:
    found = open_mims_scan(data_dir / "mims" / "E0S.e0s")
    assert found["voltage"].attrs["units"] == "V"
    assert found["voltage"].values[0] == -7572.19482421875
    assert found.sizes == {"detector": 6, "point": 46}
    assert found["detector"].values.tolist()[-1] == "12C 15N"


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["depth profile.dp", "line scan stage control 1.ls"])
def test_definitions_have_detectors_and_no_points(data_dir: Path, name: str) -> None:
    with pytest.warns(UserWarning, match="holds only a header, no data"):
        found = open_mims_scan(data_dir / "mims" / name)
    assert found.sizes == {"detector": 7, "point": 0}
    assert found["points"].values.tolist() == [0] * 7


@pytest.mark.realdata
def test_the_whole_header_comes_along(data_dir: Path) -> None:
    path = data_dir / "mims" / "is01 R1 KH03-27 01.is"
    found = open_mims_scan(path)
    assert header_of(found.attrs) == read_mims_header(path)
    assert history(found.attrs)[0]["step"] == "open_mims_scan"
    assert history(found.attrs)[0]["source"]["bytes"] == path.stat().st_size


@pytest.mark.realdata
def test_survives_netcdf_and_zarr_attributes(data_dir: Path) -> None:
    found = open_mims_scan(data_dir / "mims" / "E0S.e0s")
    assert all(isinstance(value, str | int | float) for value in found.attrs.values())
    assert json.loads(json.dumps(found.attrs)) == found.attrs


def test_abscissas_that_differ_stay_with_their_trace(tmp_path: Path) -> None:
    raw = scan_bytes([([1.0, 2.0], [5.0, 6.0]), ([3.0], [7.0])], 25)
    found = opened(tmp_path, raw)
    assert found["voltage"].dims == ("detector", "point")
    assert found["voltage"].values[0].tolist() == [1.0, 2.0]
    assert found["voltage"].values[1, 0] == 3.0
    assert np.isnan(found["voltage"].values[1, 1])
    assert np.isnan(found["rate"].values[1, 1])


def test_the_longest_trace_gives_the_abscissas(tmp_path: Path) -> None:
    raw = scan_bytes([([1.0], [5.0]), ([1.0, 2.0, 3.0], [6.0, 7.0, 8.0])], 35)
    found = opened(tmp_path, raw)
    assert found["time"].values.tolist() == [1.0, 2.0, 3.0]


def test_repeated_labels_get_unique_names(tmp_path: Path) -> None:
    raw = scan_bytes([([1.0], [2.0])] * 3, 26, labels=["12C", "12C", "13C"])
    found = opened(tmp_path, raw)
    assert found["detector"].values.tolist() == ["12C", "12C_2", "13C"]
    assert found["label"].values.tolist() == ["12C", "12C", "13C"]


def test_without_masses_channels_are_numbered(tmp_path: Path) -> None:
    raw = bytearray(scan_bytes([([1.0], [2.0])] * 3, 26))
    struct.pack_into("<i", raw, 548, 59)
    with pytest.warns(UserWarning, match="were not read"):
        found = opened(tmp_path, bytes(raw))
    assert found["detector"].values.tolist() == ["channel_1", "channel_2", "channel_3"]
    assert found["rate"].values.tolist() == [[2.0]] * 3


def test_traces_of_absurdly_different_length_are_refused(tmp_path: Path) -> None:
    # 4 MB of file that would fill 240 MB of NaN
    long = np.zeros(260_000)
    raw = scan_bytes([(long, long)] + [([], [])] * 59, 26)
    with pytest.raises(DataError, match="too different in length"):
        opened(tmp_path, raw)


def test_a_clean_file_gives_no_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(tmp_path, scan_bytes([([1.0], [2.0])], 21))


def test_an_image_is_refused(tmp_path: Path) -> None:
    raw = bytearray(scan_bytes([([1.0], [2.0])], 21))
    struct.pack_into("<i", raw, 4, 27)
    with pytest.raises(DataError, match="is an image"):
        opened(tmp_path, bytes(raw))
