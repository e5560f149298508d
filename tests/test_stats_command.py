"""The command stats on simulated files, damaged ones among them."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mfxarray as mfx
from mfxarray.commands.statistics import stats_files
from mfxarray.errors import DataError
from mfxarray.minflux.sheet.sheet import statistics
from mfxarray.minflux.sheet.table import statistics_table


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("files")
    found = []
    for number in (1, 2):
        path = folder / f"run{number}.npy"
        mfx.simulate_minflux(path, localizations=900, seed=number, dimensions=number + 1)
        found.append(str(path))
    return found


@pytest.fixture
def damaged(files: list[str], tmp_path: Path) -> str:
    path = tmp_path / "cut.npy"
    path.write_bytes(Path(files[0]).read_bytes()[:40_000])
    return str(path)


def arguments(*paths: str, **more: object) -> Namespace:
    usual = {
        "files": list(paths),
        "out": None,
        "picture": None,
        "preset": "default",
        "drift": "none",
        "ddof": "1",
        "bound": [],
        "keep_going": False,
        "resolution": False,
        "overwrite": False,
        "cluster": "threads",
        "workers": 2,
        "memory_limit": "1GiB",
    }
    return Namespace(**{**usual, **more})


def test_one_file(files, tmp_path, capsys):
    picture = tmp_path / "page.png"
    stats_files(arguments(files[0], picture=str(picture)))
    found = capsys.readouterr().out
    sheet = statistics(mfx.open_minflux(files[0]), drift=False).compute()
    assert found.startswith(files[0])
    assert f"{float(sheet['sigma_x_median']) * 1e9:.6g}" in found
    assert "drift: not looked for" in found
    assert "page.png" in found
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_of_many(files, tmp_path, capsys, ending):
    out = tmp_path / f"all.{ending}"
    stats_files(arguments(*files, out=str(out)))
    read = pd.read_csv if ending == "csv" else pd.read_parquet
    found = read(out)
    data = [mfx.open_minflux(path) for path in files]
    wanted = statistics_table(data, files, drift=False)
    assert found["name"].tolist() == files
    for name in wanted.columns.drop(["name", "notes"]):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-12, err_msg=name)
    assert f"all.{ending}" in capsys.readouterr().out


def test_that_many_are_told_without_a_file(files, capsys):
    stats_files(arguments(*files))
    found = capsys.readouterr().out
    assert "sigma_x_median_nm" in found
    assert "run1.npy" in found
    assert "run2.npy" in found


def test_a_damaged_file_among_many(files, damaged, tmp_path, capsys):
    out = tmp_path / "some.csv"
    absent = str(tmp_path / "absent.npy")
    with pytest.raises(DataError, match="2 of 4 files gave no statistics") as error:
        stats_files(arguments(files[0], damaged, absent, files[1], out=str(out)))
    assert damaged in str(error.value)
    assert absent in str(error.value)
    # what could be done was done
    assert pd.read_csv(out)["name"].tolist() == files
    capsys.readouterr()
    with pytest.warns(UserWarning, match="1 of 2 files gave no statistics"):
        stats_files(arguments(files[0], damaged, keep_going=True))


def test_that_nothing_done_is_an_error_anyhow(damaged, tmp_path):
    absent = str(tmp_path / "absent.npy")
    out = tmp_path / "none.csv"
    with pytest.raises(DataError, match="2 of 2 files"):
        stats_files(arguments(damaged, absent, out=str(out), keep_going=True))
    assert not out.exists()
    with pytest.raises(DataError, match=r"cut\.npy"):
        stats_files(arguments(damaged, keep_going=True))


def test_outputs_are_looked_at_first(files, tmp_path, capsys):
    with pytest.raises(ValueError, match="page of one file"):
        stats_files(arguments(*files, picture=str(tmp_path / "page.png")))
    with pytest.raises(DataError, match="must end in"):
        stats_files(arguments(*files, out=str(tmp_path / "all.xlsx")))
    taken = tmp_path / "taken.csv"
    taken.write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        stats_files(arguments(*files, out=str(taken)))
    path = tmp_path / "data.csv"
    path.write_text("a")
    with pytest.raises(DataError, match="is the input"):
        stats_files(arguments(files[0], str(path), out=str(path), overwrite=True))
    assert taken.read_text() == "mine"
    assert capsys.readouterr().out == ""
    stats_files(arguments(files[0], out=str(taken), overwrite=True))
    assert len(pd.read_csv(taken)) == 1


def test_choices(files, tmp_path):
    out = tmp_path / "chosen.csv"
    bound = [("efo", (3e4, None))]
    stats_files(
        arguments(*files, out=str(out), bound=bound, preset="paint21", ddof="python", drift="seed")
    )
    found = pd.read_csv(out)
    data = [mfx.open_minflux(path).mfx.filter(efo=(3e4, None)) for path in files]
    wanted = statistics_table(data, files, preset="paint21", ddof="python", drift="seed")
    for name in ("localizations", "sigma_x_median_nm", "standard_error_r_median_nm"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-12)
    assert found["localizations"].lt(900).all()


def test_something_else(tmp_path):
    path = tmp_path / "stack.im"
    mfx.simulate_mims(path, frames=3, size=16, seed=3)
    with pytest.raises(DataError, match="not MINFLUX localizations"):
        stats_files(arguments(str(path)))
