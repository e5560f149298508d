"""The command coloc: a table of joint clusters, what is said, and the picture."""

from __future__ import annotations

from argparse import Namespace

import dask.array as da
import numpy as np
import pandas as pd
import pytest

import mfxarray as mfx
from mfxarray.commands.colocalization import coloc_files
from mfxarray.errors import DataError
from mfxarray.minflux.colocalization.colocalize import clusters_table, colocalize
from mfxarray.minflux.traces.table import traces
from mfxarray.stores.zarr_store import write_zarr
from tests.samples import localization_file


def arguments(files, out, **more):
    usual = {
        "files": [str(one) for one in files],
        "out": str(out),
        "channels": None,
        "traces": False,
        "eps_nm": 10.0,
        "min_samples": 3,
        "max_size_nm": 30.0,
        "min_localizations": 10,
        "dimensions": None,
        "null": None,
        "repeats": 9,
        "r_max_nm": 200.0,
        "seed": 0,
        "picture": None,
        "bound": [],
        "dataset": None,
        "view": None,
        "units": None,
        "partial": False,
        "overwrite": False,
        "cluster": "threads",
        "workers": 2,
        "memory_limit": "1GiB",
    }
    return Namespace(**{**usual, **more})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two files with the same sites."""
    found = []
    for name in ("a", "b"):
        folder = tmp_path_factory.mktemp(name)
        found.append(localization_file(folder, localizations=1500).rename(folder / f"{name}.npy"))
    return found


def test_files_are_channels(files, tmp_path, capsys):
    out, picture = tmp_path / "out.csv", tmp_path / "out.png"
    coloc_files(arguments(files, out, picture=str(picture), null="permute"))
    wanted = clusters_table(colocalize([mfx.open_minflux(one) for one in files]))
    found = pd.read_csv(out, dtype={"class": str})
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-12)
    assert (found["n_0"] == found["n_1"]).all()
    told = capsys.readouterr().out
    kept = int(found["kept"].sum())
    assert f"{kept} of {len(found)} clusters are kept" in told
    assert f"channel 0+1: {kept} clusters (100.0%)" in told
    assert f"channels 0 and 1: {kept} clusters with both, by chance" in told
    assert "p = " in told
    assert str(out) in told
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_a_store_with_channels(files, tmp_path):
    data = mfx.open_minflux(files[0])
    n = data.sizes["localization"]
    channel = ("localization", da.from_array(np.arange(n) // 100 % 2, chunks=n))
    write_zarr(data.assign(dye=channel), tmp_path / "in.zarr")
    out = tmp_path / "out.parquet"
    given = {"channels": "dye", "eps_nm": 20.0, "max_size_nm": 60.0, "min_localizations": 4}
    coloc_files(arguments([tmp_path / "in.zarr"], out, **given))
    settings = {"eps": 20e-9, "max_size": 60e-9, "min_localizations": 4}
    wanted = colocalize(data.assign(dye=channel), "dye", **settings)
    pd.testing.assert_frame_equal(pd.read_parquet(out), clusters_table(wanted))


def test_means_of_traces_and_bounds(files, tmp_path):
    out = tmp_path / "out.csv"
    given = {"traces": True, "eps_nm": 50.0, "min_samples": 1, "min_localizations": 1}
    coloc_files(arguments(files, out, **given))
    tables = [traces(mfx.open_minflux(one)) for one in files]
    wanted = colocalize(tables, eps=50 * 1e-9, min_samples=1, min_localizations=1)
    np.testing.assert_array_equal(pd.read_csv(out)["n"], wanted["n"])
    coloc_files(arguments(files, out, overwrite=True, bound=[("eco", (60, None))]))
    assert pd.read_csv(out)["n"].sum() > 0


def test_refuses(files, tmp_path):
    out = tmp_path / "out.csv"
    with pytest.raises(DataError, match=r"\.csv or \.parquet"):
        coloc_files(arguments(files, tmp_path / "out.zarr"))
    with pytest.raises(DataError, match=r"\.png"):
        coloc_files(arguments(files, out, picture=str(tmp_path / "a.txt")))
    with pytest.raises(ValueError, match="leave out --channels"):
        coloc_files(arguments(files, out, channels="wash"))
    with pytest.raises(ValueError, match="channel or wash"):
        coloc_files(arguments(files[:1], out))
    with pytest.raises(ValueError, match="--traces"):
        coloc_files(arguments(files[:1], out, traces=True, channels="dye"))
    assert not out.exists()
    out.write_text("")
    with pytest.raises(DataError, match="exists already"):
        coloc_files(arguments(files, out))
