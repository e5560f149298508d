"""Files of aligned data, read back by NumPy's and SciPy's own readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.minflux.beads.registration import fit_beads, register
from mfxarray.stores import aligned as aligned_module
from mfxarray.stores.aligned import write_aligned
from mfxarray.testing import raise_if_computes
from tests.minflux.wash_samples import washes_and_beads
from tests.stores.export_samples import LABELS, BlockError, failing, used, washes
from tests.stores.samples import names

KEYS = ["tim", "tim_tid_mean", "tid", "lnc", "loc", "vld", "eco", "efo", "ltr", "lre"]
ERRORS = ["se_xy", "se_z", "std_xy", "std_z"]
OURS = {
    "tim": "tim",
    "lnc": "position_uncorrected",
    "loc": "position",
    "eco": "eco",
    "efo": "efo",
    "ltr": "position_registered",
}


def load(path: Path) -> dict[str, Any]:
    """Read as the seed does. Only tests may: such a file can run code."""
    return np.load(path, allow_pickle=True).item()  # type: ignore[no-any-return]


def load_mat(path: Path) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    found = scipy.io.loadmat(path, simplify_cells=True)
    return {name: value for name, value in found.items() if not name.startswith("__")}


def test_keys_shapes_and_types_are_those_of_the_seed(tmp_path: Path) -> None:
    ds, fit = washes()
    paths = write_aligned(ds, tmp_path / "a.npy", fit)
    assert [path.name for path in paths] == ["a.npy", "a_ref.npy"]
    assert names(tmp_path) == ["a.npy", "a_ref.npy"]
    found = load(paths[0])
    assert list(found) == [*LABELS, "ref_error"]
    rows = used(ds)
    for number, label in enumerate(LABELS):
        part = found[label]
        own = rows & (ds["wash"].values == number)
        count = own.sum()
        assert list(part) == KEYS
        shapes = {name: values.shape for name, values in part.items()}
        vectors = ("lnc", "loc", "ltr", "lre")
        assert shapes == {name: (count, 3) if name in vectors else (count,) for name in KEYS}
        for name in ("tim", "tim_tid_mean", "efo", *vectors):
            assert part[name].dtype == np.float64
        assert part["tid"].dtype == part["eco"].dtype == np.int32
        assert part["vld"].dtype == bool
        assert part["vld"].all()
        for name, ours in OURS.items():
            np.testing.assert_array_equal(part[name], ds[ours].values[own])
        # nothing was turned: unknown, not zero
        assert np.isnan(part["lre"]).all()
    assert list(found["ref_error"]) == ERRORS
    assert all(
        isinstance(value, float) and 0 < value < 2e-9 for value in found["ref_error"].values()
    )


def test_mean_times_are_those_of_traces(tmp_path: Path) -> None:
    ds, fit = washes()
    found = load(write_aligned(ds, tmp_path / "a.npy", fit)[0])
    for label in LABELS:
        table = pd.DataFrame({name: found[label][name] for name in ("tid", "tim")})
        means = table.groupby("tid")["tim"].transform("mean")
        np.testing.assert_allclose(found[label]["tim_tid_mean"], means, atol=1e-8, rtol=0)


def test_ids_and_times_of_washes_follow_each_other(tmp_path: Path) -> None:
    ds, fit = washes()
    found = load(write_aligned(ds, tmp_path / "a.npy", fit)[0])
    rows = used(ds)
    end = -1
    for number, label in enumerate(LABELS):
        own = rows & (ds["wash"].values == number)
        np.testing.assert_array_equal(found[label]["tid"] - (end + 1), ds["tid"].values[own])
        end = found[label]["tid"].max()
    times = [found[label]["tim"] for label in LABELS]
    assert times[0].max() < times[1].min() < times[1].max() < times[2].min()
    ids = [set(found[label]["tid"]) for label in LABELS]
    assert len(set.union(*ids)) == sum(map(len, ids))


def test_washes_lie_upon_each_other(tmp_path: Path) -> None:
    """The seed subtracts the beads twice, which leaves washes apart by the jump of the stage."""
    truth, parts, beads = washes_and_beads(traces=60, washes=3, jump_m=400e-9)
    fit = fit_beads(beads)
    ds = register([part.assign_attrs(data_set=f"P{i}") for i, part in enumerate(parts)], fit=fit)
    found = load(write_aligned(ds, tmp_path / "a.npy", fit)[0])
    shifts = {}
    for name in ("ltr", "lnc"):
        errors = []
        for number, wash in enumerate(truth):
            known = np.isfinite(ds["position_registered"].values[ds["wash"].values == number]).all(
                axis=1
            )
            errors.append((found[f"P{number}"][name] - wash.truth[known]).mean(axis=0))
        shifts[name] = np.abs(np.diff(errors, axis=0)).max()
    assert shifts["ltr"] < 2e-9
    assert shifts["lnc"] > 100e-9


def test_beads_are_written_time_by_time(tmp_path: Path) -> None:
    ds, fit = washes()
    found = load(write_aligned(ds, tmp_path / "a.npy", fit)[1])
    assert list(found) == ["tim", "lnc", "ltr", "lre"]
    beads = 4
    rows = len(found["tim"])
    assert rows % beads == 0
    assert found["lnc"].shape == found["ltr"].shape == found["lre"].shape == (rows, 3)
    times = found["tim"].reshape(-1, beads)
    assert (times == times[:, :1]).all()
    assert (np.diff(times[:, 0]) > 0).all()
    assert times[-1, 0] > fit.time_offset[2] > 0
    places = found["lnc"].reshape(-1, beads, 3)
    complete = places[np.isfinite(places).all(axis=(1, 2))]
    np.testing.assert_allclose(complete[0].mean(axis=0), 0.0, atol=1e-20)
    still = found["ltr"].reshape(-1, beads, 3)
    # jumps and drift are gone, the noise of single beads stays
    assert np.nanstd(places, axis=0).max() > 50e-9
    assert np.nanstd(still, axis=0).max() < 2e-9
    assert np.isnan(found["lre"]).all()


def test_a_bead_that_is_lost_is_unknown(tmp_path: Path) -> None:
    _, parts, beads = washes_and_beads(traces=10, washes=2, lost={1: (0,)})
    fit = fit_beads(beads)
    ds = register([part.assign_attrs(data_set=f"P{i}") for i, part in enumerate(parts)], fit=fit)
    found = load(write_aligned(ds, tmp_path / "a.npy", fit)[1])
    places = found["ltr"].reshape(-1, 4, 3)
    second = found["tim"].reshape(-1, 4)[:, 0] > fit.time_offset[1]
    assert np.isnan(places[second, 0]).all()
    assert np.isfinite(places[~second, 0]).mean() > 0.9
    assert np.isfinite(places[second, 1:]).mean() > 0.9


def test_what_was_turned_is_told_with_and_without(tmp_path: Path) -> None:
    ds, fit = washes(rotation_rad=2e-3)
    found = load(write_aligned(ds, tmp_path / "a.npy", fit)[0])
    rows = used(ds)
    for number, label in enumerate(LABELS):
        own = rows & (ds["wash"].values == number)
        part = found[label]
        np.testing.assert_array_equal(part["lre"], ds["position_registered"].values[own])
        times = part["tim_tid_mean"] - fit.time_offset[number]
        moved = part["lnc"] - fit.washes[number].motion.at(times)[0]
        np.testing.assert_allclose(part["ltr"], moved, atol=1e-15)
    last = found[LABELS[2]]
    # 4 mrad over a field of 20 µm
    assert 10e-9 < np.abs(last["lre"] - last["ltr"]).max() < 100e-9
    beads = load(tmp_path / "a_ref.npy")
    turned, straight = (beads[name].reshape(-1, 4, 3) for name in ("lre", "ltr"))
    assert np.nanstd(turned, axis=0).max() < 2.5e-9 < np.nanstd(straight, axis=0).max()
    with pytest.raises(ValueError, match="give fit="):
        write_aligned(ds, tmp_path / "b.npy")


def test_matlab_files_hold_the_same(tmp_path: Path) -> None:
    ds, fit = washes()
    arrays = load(write_aligned(ds, tmp_path / "a.npy", fit)[0])
    paths = write_aligned(ds, tmp_path / "a.mat", fit)
    assert [path.name for path in paths] == ["a.mat", "a_ref.mat"]
    found = load_mat(paths[0])
    # MATLAB has no names that begin with a digit or hold a dash
    assert list(found) == ["wash_220510_Syp_P1", "wash_220510_ATG9_P2", "P3", "ref_error"]
    for label, name in zip(LABELS, found, strict=False):
        assert list(found[name]) == KEYS
        for key, values in arrays[label].items():
            np.testing.assert_array_equal(found[name][key], values)
    assert found["ref_error"] == pytest.approx(arrays["ref_error"], rel=1e-15)
    # vectors are rows, as the seed's are
    raw = scipy.io.loadmat(paths[0])["P3"]["tim"][0, 0]
    assert raw.shape == (1, len(arrays["P3"]["tim"]))
    beads, expected = load_mat(paths[1]), load(tmp_path / "a_ref.npy")
    for key, values in expected.items():
        np.testing.assert_array_equal(beads[key], values)


def test_without_a_fit_there_are_no_beads(tmp_path: Path) -> None:
    ds, _ = washes()
    paths = write_aligned(ds, tmp_path / "a.npy")
    assert names(tmp_path) == ["a.npy"]
    found = load(paths[0])
    assert list(found["ref_error"]) == ERRORS
    assert np.isnan(list(found["ref_error"].values())).all()
    assert list(load_mat(write_aligned(ds, tmp_path / "a.mat")[0])["P3"]) == KEYS


def test_fields_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    ds, fit = washes()
    found = load(write_aligned(ds.drop_vars(["eco", "efo"]), tmp_path / "a.npy", fit)[0])
    assert list(found["P3"]) == [key for key in KEYS if key not in ("eco", "efo")]


def test_iterations_are_the_last_one(tmp_path: Path) -> None:
    ds, fit = washes()
    eco = np.stack([np.zeros(ds.sizes["localization"], np.int32), ds["eco"].values], axis=1)
    nested = ds.assign(eco=(("localization", "iteration"), eco))
    found = load(write_aligned(nested, tmp_path / "a.npy", fit)[0])
    plain = load(write_aligned(ds, tmp_path / "b.npy", fit)[0])
    np.testing.assert_array_equal(found["P3"]["eco"], plain["P3"]["eco"])


@pytest.mark.parametrize("ending", ["npy", "mat"])
def test_a_wash_without_localizations(tmp_path: Path, ending: str) -> None:
    ds, fit = washes()
    without = ds.assign(selected=ds["selected"] & (ds["wash"] != 1))
    path = write_aligned(without, tmp_path / f"a.{ending}", fit)[0]
    found = load(path) if ending == "npy" else load_mat(path)
    _, second, third, _ = found.values()
    assert np.size(second["tim"]) == np.size(second["ltr"]) == 0
    assert third["tid"].size > 0
    nothing = ds.assign(selected=xr.zeros_like(ds["selected"]))
    assert write_aligned(nothing, tmp_path / f"b.{ending}", fit)


@pytest.mark.parametrize("ending", ["npy", "mat"])
def test_results_do_not_depend_on_chunks(tmp_path: Path, ending: str) -> None:
    ds, fit = washes()
    found = []
    for number, chunks in enumerate([7, 100, -1]):
        with dask.config.set(scheduler="threads" if number else "synchronous", num_workers=2):
            path = write_aligned(
                ds.chunk(localization=chunks), tmp_path / f"{number}.{ending}", fit
            )[0]
        # a MAT file begins with the time at which it was written
        found.append(path.read_bytes()[128 if ending == "mat" else 0 :])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("ending", ["npy", "mat"])
def test_a_failed_write_leaves_nothing(tmp_path: Path, ending: str) -> None:
    ds, fit = washes()
    with pytest.raises(BlockError):
        write_aligned(failing(ds), tmp_path / f"a.{ending}", fit)
    assert names(tmp_path) == []
    taken = tmp_path / f"a_ref.{ending}"
    taken.write_text("old")
    with raise_if_computes(), pytest.raises(DataError, match="exists already"):
        write_aligned(ds, tmp_path / f"a.{ending}", fit)
    with pytest.raises(BlockError):
        write_aligned(failing(ds), tmp_path / f"a.{ending}", fit, overwrite=True)
    assert names(tmp_path) == [taken.name]
    assert taken.read_text() == "old"
    write_aligned(ds, tmp_path / f"a.{ending}", fit, overwrite=True)
    assert names(tmp_path) == sorted([f"a.{ending}", taken.name])


def test_what_is_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds, fit = washes()
    # efo cannot be computed, and need not be
    with pytest.raises(ValueError, match="more than most_bytes=1000; write Zarr"):
        write_aligned(failing(ds), tmp_path / "a.npy", fit, most_bytes=1000)
    monkeypatch.setattr(aligned_module, "_MAT_BYTES", 10_000)
    with pytest.raises(ValueError, match=r"bytes, and a variable of a \.mat file at most 2 GiB"):
        write_aligned(failing(ds), tmp_path / "a.mat", fit)
    assert write_aligned(ds, tmp_path / "a.npy", fit)
    assert names(tmp_path) == ["a.npy", "a_ref.npy"]


def test_the_size_that_is_checked_is_that_of_the_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds, _ = washes()
    found = load(write_aligned(ds, tmp_path / "a.npy")[0])
    sizes = [sum(values.nbytes for values in found[label].values()) for label in LABELS]
    # a tid may need four bytes more a row
    rows = sum(len(found[label]["tid"]) for label in LABELS)
    bound = sum(sizes) + 4 * rows
    assert write_aligned(ds, tmp_path / "b.npy", most_bytes=bound)
    with pytest.raises(ValueError, match=f"{bound} bytes"):
        write_aligned(ds, tmp_path / "c.npy", most_bytes=bound - 1)
    monkeypatch.setattr(aligned_module, "_MAT_BYTES", max(sizes) + 2**13)
    assert write_aligned(ds, tmp_path / "d.mat")
    monkeypatch.setattr(aligned_module, "_MAT_BYTES", max(sizes))
    with pytest.raises(ValueError, match="at most 2 GiB"):
        write_aligned(ds, tmp_path / "e.mat")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.drop_vars("position_registered"), "no 'position_registered'; give"),
        (lambda ds: ds.drop_vars("position_uncorrected"), "no 'position_uncorrected'; give"),
        (lambda ds: ds.drop_vars("wash"), "not numbered by wash"),
        (lambda ds: ds.assign_attrs(washes=["P1", "P2"]), "2 washes, but a fit of 3"),
        (lambda ds: ds.assign_coords(tid=ds["tid"] - 1000), "has the id -"),
    ],
)
def test_other_data_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    ds, fit = washes()
    with pytest.raises(ValueError, match=message):
        write_aligned(change(ds), tmp_path / "a.npy", fit)
    assert names(tmp_path) == []


def test_another_fit_or_ending_is_refused(tmp_path: Path) -> None:
    ds, _ = washes()
    _, turned = washes(rotation_rad=2e-3)
    with pytest.raises(ValueError, match="registered with rotation='none', the fit has 'z'"):
        write_aligned(ds, tmp_path / "a.npy", turned)
    with pytest.raises(ValueError, match=r"must end in \.npy or \.mat"):
        write_aligned(ds, tmp_path / "a.csv")


def test_labels_become_names_that_are_told_apart(tmp_path: Path) -> None:
    ds, _ = washes()
    odd = ds.assign_attrs(washes=["ref_error", "a b", "a-b"])
    found = load(write_aligned(odd, tmp_path / "a.npy")[0])
    assert list(found) == ["ref_error_1", "a b", "a-b", "ref_error"]
    names_of = list(load_mat(write_aligned(odd, tmp_path / "a.mat")[0]))
    assert names_of == ["ref_error_1", "a_b", "a_b_3", "ref_error"]
    long = ds.assign_attrs(washes=["x" * 60 + str(number) for number in range(3)])
    found_mat = load_mat(write_aligned(long, tmp_path / "b.mat")[0])
    assert len(found_mat) == 4
    assert max(map(len, found_mat)) <= 31
