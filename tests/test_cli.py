"""The command line, each command on simulated files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import xarray as xr
import zarr

import mfxarray as mfx
from mfxarray.cli import main

RUN = [sys.executable, "-m", "mfxarray"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    mfx.simulate_minflux(folder / "run.npy", localizations=3000, seed=3)
    mfx.simulate_mims(folder / "stack.im", frames=12, size=64, seed=3)
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _fails(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert main([str(word) for word in argv]) == 1
    error = capsys.readouterr().err
    assert error.startswith("mfxarray: error: ")
    assert error.count("\n") == 1
    return error


def _runs(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert main([str(word) for word in argv]) == 0
    found = capsys.readouterr()
    assert found.err == ""
    return found.out


def test_that_help_comes_at_once_and_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['mfxarray', '--help']\n"
        "from mfxarray.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'numpy', 'xarray', 'dask', 'pandas', 'numba', 'distributed', 'matplotlib'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        times.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
        assert done.stdout.rstrip().endswith("HEAVY []")
        assert "usage: mfxarray" in done.stdout
    assert min(times) < 1.0


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nonsense"],
        ["info"],
        ["filter", "a", "b", "--bound", "efo:1"],
        ["filter", "a", "b", "--bound", ":1:2"],
        ["filter", "a", "b", "--bound", "efo:one:2"],
        ["filter", "a", "b", "--bound", "efo:nan:2"],
        ["align", "a", "b", "--cluster", "moon"],
        ["simulate"],
    ],
)
def test_that_wrong_usage_is_code_2(argv: list[str], capsys):
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    assert "usage: mfxarray" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"mfxarray {mfx.__version__}\n"


def test_info(files, capsys):
    assert "3 000" in _runs(capsys, "info", files / "run.npy")
    out = _runs(capsys, "info", files / "stack.im")
    assert "12C 14N" in out
    assert "26.0031 u" in out
    assert "64 x 64 pixels" in out


def test_info_in_a_process(files):
    done = subprocess.run([*RUN, "info", files / "run.npy"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "MINFLUX localizations" in done.stdout


def test_that_content_decides_not_the_name(files, here, capsys):
    os.symlink(files / "run.npy", "misnamed.im")
    assert "MINFLUX localizations" in _runs(capsys, "info", "misnamed.im")


def test_convert_localizations(files, here, capsys):
    _runs(capsys, "convert", files / "run.npy", "all.zarr")
    _runs(capsys, "convert", "all.zarr", "all.parquet")
    raw = np.load(files / "run.npy")
    stored = mfx.open_zarr("all.zarr")
    np.testing.assert_array_equal(stored["efo"].values, raw["itr"]["efo"])
    np.testing.assert_array_equal(stored["position"].values, raw["itr"]["loc"])
    table = pd.read_parquet("all.parquet")
    np.testing.assert_array_equal(table["efo_i9"], raw["itr"]["efo"][:, 9])
    np.testing.assert_array_equal(table["tid"], raw["tid"])


@pytest.mark.parametrize("layout", ["plain", "seed", "matlab"])
def test_convert_to_csv_layouts(files, here, capsys, layout):
    _runs(capsys, "convert", files / "run.npy", "t.csv", "--layout", layout)
    table = pd.read_csv("t.csv")
    data = mfx.open_minflux(files / "run.npy").mfx.filter()
    valid = int(data["selected"].sum())
    assert len(table) == (data.mfx.traces().sizes["trace"] if layout == "seed" else valid)
    images = _fails(capsys, "convert", files / "stack.im", "s.csv", "--layout", layout)
    assert "for points" in images


def test_convert_for_paraview(files, here, capsys):
    _runs(capsys, "convert", files / "run.npy", "t.vtu", "--unit", "nm")
    assert b'NumberOfPoints="' in Path("t.vtu").read_bytes()[:2000]
    assert "exists already" in _fails(capsys, "convert", files / "run.npy", "t.vtu")
    assert "for points" in _fails(capsys, "convert", files / "stack.im", "s.vtu")


def test_convert_images(files, here, capsys):
    _runs(capsys, "convert", files / "stack.im", "s.zarr")
    np.testing.assert_array_equal(
        mfx.open_zarr_array("s.zarr").values, mfx.open_mims(files / "stack.im").values
    )
    assert "Ion images" in _runs(capsys, "info", "s.zarr")
    assert ".zarr" in _fails(capsys, "convert", files / "stack.im", "s.parquet")
    assert ".zip or .parquet" in _fails(capsys, "convert", files / "stack.im", "s.png")
    assert "not MINFLUX" in _fails(capsys, "convert", files / "stack.im", "s.npy")


@pytest.mark.parametrize("name", ["s.tif", "s.nrrd", "s.nc", "s.ome.zarr"])
def test_convert_images_for_other_programs(files, here, capsys, name):
    _runs(capsys, "convert", files / "stack.im", name)
    counts = mfx.open_mims(files / "stack.im")
    if name == "s.nrrd":
        np.testing.assert_array_equal(mfx.open_mims(name), counts)
        _runs(capsys, "clean", name, "clean.zarr")
    if name == "s.nc":
        np.testing.assert_array_equal(xr.open_dataarray(name), counts)
    if name == "s.tif":
        np.testing.assert_array_equal(tifffile.imread(name), counts)
    if name == "s.ome.zarr":
        np.testing.assert_array_equal(zarr.open_group(name, mode="r")["0"][:], counts)
    assert "not a stack of ion images" in _fails(capsys, "convert", files / "run.npy", "x.tif")


def test_header(files, here, capsys):
    found = json.loads(_runs(capsys, "header", files / "stack.im"))
    assert found == mfx.read_mims_header(files / "stack.im").to_dict()
    assert "not a file of the NanoSIMS" in _fails(capsys, "header", files / "run.npy")


def test_register_and_drift(files, here, capsys):
    mfx.write_bead_washes(".", washes=2)
    argv = ["register", "wash0.zarr", "wash1.zarr", "--out", "all.zarr", "--picture", "beads.png"]
    out = _runs(capsys, *argv)
    assert "of 2 washes" in out
    assert "wrote beads.png (" in out
    found = mfx.open_zarr("all.zarr")
    assert set(np.unique(found["wash"])) == {0, 1}
    assert Path("beads.png").stat().st_size > 10_000
    assert "holds no beads" in _fails(capsys, "register", files / "run.npy", "--out", "x.zarr")
    mfx.simulate_minflux("long.npy", localizations=20_000, seed=1)
    out = _runs(capsys, "drift", "long.npy", "straight.zarr", "--picture", "drift.png")
    assert "nm along x, y, z" in out
    corrected = mfx.open_zarr("straight.zarr")
    assert [step["step"] for step in corrected.mfx.history][-1] == "correct_drift"
    assert Path("drift.png").stat().st_size > 10_000


def test_pictures_that_cannot_be_written_are_refused_before_the_work(files, here, capsys):
    mfx.write_bead_washes(".", washes=2)
    mfx.simulate_minflux("long.npy", localizations=2000, seed=1)
    Path("old.png").write_bytes(b"mine")
    commands = (
        ["register", "wash0.zarr", "wash1.zarr", "--out", "new.zarr"],
        ["drift", "long.npy", "new.zarr"],
    )
    for argv in commands:
        assert "must end in .png or" in _fails(capsys, *argv, "--picture", "a.docx")
        assert "folder does not exist" in _fails(capsys, *argv, "--picture", "no/a.png")
        assert "exists already" in _fails(capsys, *argv, "--picture", "old.png")
        assert not Path("new.zarr").exists()
    assert Path("old.png").read_bytes() == b"mine"


def test_filter(files, here, capsys):
    argv = ["filter", files / "run.npy", "f.zarr", "--bound", "efo:13000:48000"]
    out = _runs(capsys, *argv, "--bound", "cfr::0.8")
    raw = np.load(files / "run.npy")
    efo, cfr = raw["itr"]["efo"][:, -1], raw["itr"]["cfr"][:, 6]
    wanted = raw["vld"] & (efo >= 13_000) & (efo <= 48_000) & (cfr <= 0.8)
    kept = mfx.open_zarr("f.zarr")
    np.testing.assert_array_equal(kept["tim"].values, raw["tim"][wanted])
    assert f"kept {wanted.sum() // 1000} {wanted.sum() % 1000:03d} of 3 000" in out


def test_filter_by_masks_of_a_file(files, here, capsys):
    steps = [("bright", mfx.minflux.Range("efo", 13_000, None))]
    mfx.minflux.save_filters([*steps, ("long", mfx.minflux.TraceLength(3))], "steps.toml")
    argv = ["filter", files / "run.npy", "f.zarr", "--min-localizations", "2"]
    out = _runs(capsys, *argv, "--filters", "steps.toml")
    data = mfx.open_minflux(files / "run.npy").mfx.filter()
    masks = {
        "enough": mfx.minflux.TraceLength(2),
        **dict(steps),
        "long": mfx.minflux.TraceLength(3),
    }
    wanted = data.mfx.mask(masks)
    assert mfx.open_zarr("f.zarr").sizes["localization"] == int(wanted["selected"].sum())
    lines = [line.split() for line in out.splitlines()]
    names = ["step", "all", "min_localizations", "bright", "long"]
    assert [line[0] for line in lines[:5]] == names
    left = wanted.mfx.funnel()["localizations"].values
    counts = [int("".join(line[1:-1])) for line in lines[1:5]]
    assert counts == left[:4].tolist()


def test_a_file_of_filters_that_is_none(files, here, capsys):
    Path("bad.json").write_text("{}")
    argv = ["filter", files / "run.npy", "f.zarr", "--filters", "bad.json"]
    assert "holds no filters" in _fails(capsys, *argv)
    assert not Path("f.zarr").exists()


def test_filter_that_keeps_invalid_rows(files, here, capsys):
    _runs(capsys, "filter", files / "run.npy", "f.zarr", "--keep-invalid")
    assert mfx.open_zarr("f.zarr").sizes["localization"] == 3000


def test_traces(files, here, capsys):
    out = _runs(capsys, "traces", files / "run.npy", "t.parquet", "--ddof", 0)
    raw = np.load(files / "run.npy")
    good = raw[raw["vld"]]
    x = pd.Series(good["itr"]["loc"][:, -1, 0]).groupby(good["tid"])
    table = pd.read_parquet("t.parquet").set_index("tid")
    np.testing.assert_array_equal(table["n"], x.size())
    np.testing.assert_allclose(table["centroid_x"], x.mean(), rtol=1e-12)
    np.testing.assert_allclose(table["spread_x"], x.std(ddof=0), rtol=1e-6, atol=1e-15)
    assert f"{len(table)} traces" in out


def test_clean(files, here, capsys):
    options = ["--outlier-factor", 3, "--min-count", 1, "--num-nonzero", 3]
    out = _runs(capsys, "clean", files / "stack.im", "c.zarr", *options)
    ions = mfx.open_mims(files / "stack.im")
    wanted = ions.mims.remove_hot_pixels(outlier_factor=3.0, min_count=1.0, num_nonzero=3)
    stored = mfx.open_zarr_array("c.zarr")
    np.testing.assert_array_equal(stored.values, wanted.values)
    changed = (stored.values != ions.values).any(axis=1).sum()
    replaced = int(stored["hot_pixels"].sum())
    assert changed <= replaced
    assert f"replaced {replaced} pixels in 12 frames" in out


def test_clean_as_the_seed(files, here, capsys):
    _runs(capsys, "clean", files / "stack.im", "c.zarr", "--preset", "seed", "--roll", 1, 1)
    wanted = mfx.open_mims(files / "stack.im", roll="seed").mims.remove_hot_pixels(method="seed")
    np.testing.assert_array_equal(mfx.open_zarr_array("c.zarr").values, wanted.values)


def test_align(files, here, capsys):
    out = _runs(
        capsys, "align", files / "stack.im", "a.zarr", "--detector", "12C 14N", "--padding", 6
    )
    ions = mfx.open_mims(files / "stack.im")
    shifts = ions.mims.infer_translations("12C 14N")
    wanted = ions.mims.apply_translations(shifts, padding=6)
    stored = mfx.open_zarr_array("a.zarr")
    assert stored.shape == (12, 7, 76, 76)
    np.testing.assert_array_equal(stored.values, wanted.values)
    np.testing.assert_array_equal(np.stack([stored["dy"], stored["dx"]], 1), shifts.values)
    truth = mfx.simulate_mims("again.im", frames=12, size=64, seed=3).translations
    np.testing.assert_array_equal(shifts.values, truth)
    lines = [line.split() for line in out.splitlines() if line.startswith("  ") and "d" not in line]
    assert [[int(word) for word in line] for line in lines] == [
        [frame, dy, dx] for frame, (dy, dx) in enumerate(truth.tolist())
    ]


def test_align_after_cleaning_as_the_seed(files, here, capsys):
    _runs(capsys, "align", files / "stack.im", "a.zarr", "--clean", "--preset", "seed")
    clean = mfx.open_mims(files / "stack.im").mims.remove_hot_pixels(method="seed")
    shifts = clean.mims.infer_translations(method="seed")
    np.testing.assert_array_equal(
        mfx.open_zarr_array("a.zarr").values, clean.mims.apply_translations(shifts).values
    )


def test_that_a_stack_is_cleaned_and_aligned_once(files, here, capsys):
    _runs(capsys, "align", files / "stack.im", "a.zarr", "--clean")
    assert "removed before" in _fails(capsys, "clean", "a.zarr", "b.zarr")
    assert "aligned before" in _fails(capsys, "align", "a.zarr", "b.zarr")


@pytest.mark.parametrize(
    "options",
    [
        ["run.npy", "a.png", "--axes", "x", "z", "--pixel-nm", "8"],
        ["run.npy", "b.png", "--kind", "gaussian", "--sigma-nm", "5", "--pixel-nm", "5"],
        ["run.npy", "c.png", "--color", "time", "--pixel-nm", "5"],
        ["run.npy", "d.png", "--traces", "--pixel-nm", "5"],
        ["stack.im", "a.svg"],
    ],
)
def test_render(files, here, capsys, options: list[str]):
    name, *rest = options
    _runs(capsys, "render", files / name, *rest)
    head = Path(rest[0]).read_bytes()[:5]
    assert head == (b"\x89PNG\r" if rest[0].endswith("png") else b"<?xml")


def test_render_images(files, here, capsys):
    valid = int(mfx.open_minflux(files / "run.npy").mfx.filter()["selected"].sum())
    options = ["--pixel-nm", "5"]
    _runs(capsys, "render", files / "run.npy", "a.tif", *options)
    image = tifffile.imread("a.tif")
    assert image.sum() == valid
    _runs(capsys, "render", files / "run.npy", "a.ome.zarr", *options)
    np.testing.assert_array_equal(zarr.open_group("a.ome.zarr", mode="r")["0"][0], image)
    _runs(capsys, "render", files / "run.npy", "s.tif", "--axes", "x", "z", *options)
    assert tifffile.imread("s.tif").sum() == valid
    _runs(capsys, "render", files / "run.npy", "v.tif", "--axes", "x", "y", "z", "--pixel-nm", "20")
    assert tifffile.imread("v.tif").ndim == 3
    _runs(capsys, "render", files / "run.npy", "c.tif", "--color", "time", *options)
    assert tifffile.imread("c.tif").shape == (2, *image.shape)
    assert "to render" in _fails(capsys, "render", files / "stack.im", "s2.tif")


def test_render_traces_and_bounds(files, here, capsys):
    _runs(capsys, "traces", files / "run.npy", "t.parquet")
    _runs(capsys, "render", "t.parquet", "t.png")
    _runs(capsys, "render", files / "run.npy", "a.png", "--bound", "efo:13000:48000")
    error = _fails(capsys, "render", files / "run.npy", "b.png", "--bound", "efo:1e9:2e9")
    assert "no localization is left" in error
    assert not Path("b.png").exists()
    assert ".png" in _fails(capsys, "render", files / "run.npy", "b.txt")


def test_simulate(here, capsys):
    argv = ["simulate", "minflux", "run.npy", "--localizations", 700, "--dimensions", 2]
    out = _runs(capsys, *argv, "--seed", 5)
    assert "traces" in out
    assert mfx.open_minflux("run.npy").sizes["localization"] == 700
    assert mfx.open_minflux("run.npy").sizes["iteration"] == 5
    argv = ["simulate", "mims", "s.im", "--frames", 3, "--detectors", 4, "--size", 32]
    _runs(capsys, *argv, "--seed", 5)
    assert mfx.open_mims("s.im").shape == (3, 4, 32, 32)
    truth = json.loads(Path("s.im.truth.json").read_text())
    assert len(truth["translations"]) == 3


@pytest.mark.parametrize(
    "argv",
    [
        ["convert", "run.npy", "out.zarr"],
        ["filter", "run.npy", "out.zarr"],
        ["traces", "run.npy", "out.parquet"],
        ["clean", "stack.im", "out.zarr"],
        ["align", "stack.im", "out.zarr"],
        ["render", "run.npy", "out.png"],
        ["simulate", "mims", "out.im", "--frames", "2", "--size", "32"],
        ["simulate", "minflux", "out.npy", "--localizations", "50"],
    ],
)
def test_that_outputs_are_not_overwritten_by_chance(files, here, capsys, argv: list[str]):
    words = [str(files / word) if word in ("run.npy", "stack.im") else word for word in argv]
    _runs(capsys, *words)
    assert "--overwrite" in _fails(capsys, *words)
    _runs(capsys, *words, "--overwrite")


def test_that_a_folder_that_is_no_store_is_never_replaced(files, here, capsys):
    Path("thesis.zarr").mkdir()
    Path("thesis.zarr/chapter1.txt").write_text("years of work")
    error = _fails(capsys, "convert", files / "run.npy", "thesis.zarr", "--overwrite")
    assert "overwrite=True" not in error
    assert Path("thesis.zarr/chapter1.txt").read_text() == "years of work"


def test_that_the_input_is_never_the_output(here, capsys):
    mfx.simulate_mims("a.im", frames=2, size=32)
    _runs(capsys, "convert", "a.im", "a.zarr")
    assert "is the input" in _fails(capsys, "clean", "a.zarr", "./a.zarr", "--overwrite")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["info", "missing.npy"], "missing.npy"),
        (["filter", "stack.im", "o.zarr"], "not MINFLUX localizations"),
        (["clean", "run.npy", "o.zarr"], "not a stack of ion images"),
        (["filter", "run.npy", "o.zarr", "--bound", "foo:1:2"], "no field 'foo'"),
        (["filter", "run.npy", "o.zarr", "--bound", "efo:5:2"], "above the high one"),
        (["filter", "run.npy", "o.zarr", "--bound", "efo:1:", "--bound", "efo::2"], "2 times"),
        (["align", "stack.im", "o.zarr", "--detector", "gold"], "no detector 'gold'"),
        (["clean", "stack.im", "o.zarr", "--kernel-size", "4"], "odd"),
        (["convert", "run.npy", "nowhere/o.zarr"], "folder does not exist"),
        (["clean", "stack.im", "o.zarr", "--workers", "0"], "at least 1"),
        (["simulate", "minflux", "o.npy", "--localizations", "0"], "must be positive"),
    ],
)
def test_that_errors_are_one_line(files, here, capsys, argv: list[str], said: str):
    words = [str(files / word) if word in ("run.npy", "stack.im") else word for word in argv]
    assert said in _fails(capsys, *words)
    assert os.listdir(here) == []


def test_that_names_cannot_steer_the_terminal(here, capsys):
    Path("evil\x1b[2J\n.npy").write_bytes(b"nothing known")
    error = _fails(capsys, "info", "evil\x1b[2J\n.npy")
    assert "\x1b" not in error


def test_that_warnings_are_one_line_without_code(here, capsys):
    mfx.simulate_mims("a.im", frames=4, size=32)
    size = Path("a.im").stat().st_size
    os.truncate("a.im", size - 7 * 32 * 32 * 4)
    assert main(["info", "a.im"]) == 0
    error = capsys.readouterr().err
    assert error.startswith("mfxarray: warning: ")
    assert error.count("\n") == 1
    assert "a.im" in error


def test_that_an_interrupt_is_code_130(files, here, capsys, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mfxarray.display.describe", stop)
    assert main(["info", str(files / "run.npy")]) == 130
    assert capsys.readouterr().err == "mfxarray: stopped\n"


def test_that_a_closed_pipe_is_no_complaint(files):
    with subprocess.Popen(
        [*RUN, "info", str(files / "run.npy")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.cluster
def test_align_on_a_cluster_from_a_process(files, here):
    argv = ["align", str(files / "stack.im"), "a.zarr", "--clean", "--detector", "12C 14N"]
    done = subprocess.run([*RUN, *argv, "--cluster", "local"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert main([*argv[:2], "b.zarr", *argv[3:]]) == 0
    one, other = (mfx.open_zarr_array(name) for name in ("a.zarr", "b.zarr"))
    assert one.identical(other)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("minflux/2D_ValidOnly.npy", "12 580"),
        ("minflux/3D_ValidOnly.npy", "5 812"),
        ("mims/RTIimage.im", "12C2"),
        ("mims/image sun.im", "12C 15N"),
    ],
)
def test_info_of_real_files(data_dir, capsys, name: str, said: str):
    assert said in _runs(capsys, "info", data_dir / name)
