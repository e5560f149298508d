"""The command track."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import pandas as pd
import pytest

from mfxarray.commands.tracking import track_file
from mfxarray.errors import DataError
from mfxarray.simulate.minflux_tracks import write_tracks


def options(folder, **more):
    given = {
        "file": str(folder / "tracks.npy"),
        "out": str(folder / "tracks.parquet"),
        "picture": None,
        "overwrite": False,
        "bound": [],
        "cluster": "threads",
        "workers": 2,
        "memory_limit": "1GiB",
        "method": "cve",
        "blur": 0.0,
        "dimensions": None,
        "trim": 0,
        "gap": 2.5,
        "lags": 10,
        "no_classes": False,
    }
    return Namespace(**given | more)


@pytest.fixture
def folder(tmp_path):
    write_tracks(tmp_path / "tracks.npy", tracks=60, points=30, seed=1)
    return tmp_path


def test_a_table_that_pandas_reads(folder, capsys):
    track_file(options(folder, picture=str(folder / "page.png")))
    said = capsys.readouterr().out
    assert "60 tracks, 60 with steps" in said
    assert "µm²/s" in said
    assert "free: " in said
    table = pd.read_parquet(folder / "tracks.parquet")
    assert len(table) == 60
    assert {"tid", "D", "D_error", "motion", "speed"} <= set(table.columns)
    assert 2e-13 < np.median(table["D"]) < 8e-13
    assert (folder / "page.png").stat().st_size > 10_000


def test_without_classes_and_cuts(folder, capsys):
    track_file(options(folder, no_classes=True, gap=0.0, method="mle"))
    assert "immobile" not in capsys.readouterr().out
    assert "motion" not in pd.read_parquet(folder / "tracks.parquet")


def test_outputs_are_asked_for_first(folder):
    (folder / "page.png").write_text("")
    with pytest.raises(DataError, match="exists already"):
        track_file(options(folder, picture=str(folder / "page.png")))
    assert not (folder / "tracks.parquet").exists()
    with pytest.raises(DataError, match="parquet"):
        track_file(options(folder, out=str(folder / "a.csv")))
