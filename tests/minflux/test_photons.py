"""Photons against numpy on the raw records, and against the facts of real files."""

from __future__ import annotations

import json

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.formats.sequence import Sequence, dump_sequences
from mfxarray.jobs.clients import client
from mfxarray.minflux.photons import photons
from mfxarray.testing import assert_chunk_invariant, count_computes, raise_if_computes
from tests.samples import four_chunkings, localization_file

WHICH = ("last", "relocalised", "all")
TAIL = (6, 7, 8, 9)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return localization_file(tmp_path_factory.mktemp("photons"))


@pytest.fixture(scope="module")
def ds(path):
    return mfx.open_minflux(path, view="all", chunk_bytes=300_000)


@pytest.fixture(scope="module")
def records(path):
    return np.load(path)


def raw(count=10, headstart=-4, name="Own"):
    return {"id": name, "Itr": [{"phtLimit": 10}] * count, "headstart": headstart}


def small(executed, eco, tid=None, iteration=None, attrs=None):
    """Return a Dataset from a table of what was executed."""
    executed = np.asarray(executed, bool)
    position = np.zeros((*executed.shape, 3))
    position[~executed] = np.nan
    coords = {"tid": ("localization", np.zeros(len(executed), int) if tid is None else tid)}
    if iteration is not None:
        coords["iteration"] = list(iteration)
    data = {
        "eco": (("localization", "iteration"), np.asarray(eco)),
        "position": (("localization", "iteration", "axis"), position),
    }
    return xr.Dataset(data, coords, attrs)


def plain(records, numbers):
    executed = np.isfinite(records["itr"]["loc"]).all(axis=-1)[:, list(numbers)]
    return np.where(executed, records["itr"]["eco"][:, list(numbers)], 0).sum(axis=1)


def test_equals_numpy(ds, records):
    with raise_if_computes():
        found = {which: photons(ds, which) for which in WHICH}
    executed = np.isfinite(records["itr"]["loc"]).all(axis=-1)
    assert not executed[:, -1].all()
    last = executed.shape[1] - 1 - executed[:, ::-1].argmax(axis=1)
    wanted = np.where(executed.any(axis=1), records["itr"]["eco"][np.arange(len(last)), last], 0)
    np.testing.assert_array_equal(found["last"], wanted)
    np.testing.assert_array_equal(found["relocalised"], plain(records, TAIL))
    np.testing.assert_array_equal(found["all"], plain(records, range(10)))
    for data in found.values():
        assert data.dtype == np.int64
        assert data.dims == ("localization",)
        assert set(data.coords) == {"tid", "tim"}


def test_counts_of_iterations_that_were_not_executed_are_not_relied_on(ds, records):
    executed = np.isfinite(ds["position"]).all("axis")
    dirty = ds.assign(eco=ds["eco"].where(executed, 77_777).astype("i4"))
    for which in WHICH:
        np.testing.assert_array_equal(photons(dirty, which), photons(ds, which))


@pytest.mark.parametrize("which", WHICH)
def test_every_chunking_gives_the_same(ds, which):
    chunkings = four_chunkings(ds, "localization")
    assert_chunk_invariant(lambda data: data.mfx.photons(which), chunkings)
    assert len({str(photons(data, which).attrs) for data in chunkings}) == 1


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_a_border_of_blocks_counts_like_any_place(rows):
    executed = [[1, 1, 1], [0, 0, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1]]
    data = small(executed, np.ones((5, 3), int), [1, 1, 2, 3, 4]).chunk(localization=rows)
    assert photons(data, "relocalised").values.tolist() == [1] * 5


def test_one_computation_for_the_inferred(ds):
    with count_computes() as computes:
        photons(ds, "relocalised").compute()
    assert len(computes) == 1


def test_all_ways_to_give_the_sequence(ds, records, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(raw(headstart=-2)))
    wanted = plain(records, (8, 9))
    for sequence in (path, str(path), raw(headstart=-2), Sequence.from_dict(raw(headstart=-2))):
        with raise_if_computes():
            found = photons(ds, "relocalised", sequence=sequence)
        np.testing.assert_array_equal(found, wanted)
        assert found.attrs["decided_by"] == "sequence Own"
        assert found.attrs["iterations"] == [8, 9]


def test_the_sequence_in_the_attributes(ds, records):
    measurement = {"threads": [{"sequences": [raw(headstart=-3)]}]}
    stored = dump_sequences([Sequence.from_dict(raw(headstart=-2))])
    found = photons(ds.assign_attrs(measurement=json.dumps(measurement)), "relocalised")
    np.testing.assert_array_equal(found, plain(records, (7, 8, 9)))
    both = ds.assign_attrs(measurement=json.dumps(measurement), sequences=stored)
    found = photons(both, "relocalised")
    np.testing.assert_array_equal(found, plain(records, (8, 9)))
    found = photons(both, "relocalised", sequence=raw(headstart=-1, name=None))
    np.testing.assert_array_equal(found, plain(records, (9,)))
    assert found.attrs["decided_by"] == "sequence without a name"


@pytest.mark.parametrize(
    "attrs",
    [{"measurement": "{}"}, {"measurement": "[1"}, {"measurement": {}}, {"sequences": "[]"}],
)
def test_without_a_usable_sequence_the_data_tell(ds, records, attrs):
    found = photons(ds.assign_attrs(attrs), "relocalised")
    np.testing.assert_array_equal(found, plain(records, TAIL))
    assert found.attrs["decided_by"] == "inferred from the data"
    found = photons(ds, "relocalised", sequence=raw(headstart=None))
    assert found.attrs["decided_by"] == "inferred from the data"


def test_sequences_that_differ_are_a_question(ds, records):
    several = [Sequence.from_dict(raw(headstart=back)) for back in (-2, -4)]
    data = ds.assign_attrs(sequences=dump_sequences(several))
    with pytest.raises(ValueError, match="2 sequences"):
        photons(data, "relocalised")
    np.testing.assert_array_equal(
        photons(data, "relocalised", iterations=(8, 9)), plain(records, (8, 9))
    )
    same = ds.assign_attrs(sequences=dump_sequences([several[1]] * 2))
    np.testing.assert_array_equal(photons(same, "relocalised"), plain(records, TAIL))


def test_a_sequence_of_another_length(ds):
    for count in (5, 12):
        with pytest.raises(ValueError, match=f"has {count} iterations, the data have numbers"):
            photons(ds, "relocalised", sequence=raw(count))


def test_the_empty_entry_of_the_beamline_monitor(ds):
    with pytest.raises(ValueError, match=r"beamline monitor, give iterations=\(6, 7, 8, 9\)"):
        photons(ds, "relocalised", sequence=raw(9))


def test_left_out_iterations_are_mapped_by_their_number():
    data = small([[1, 1], [1, 1]], [[3, 5], [7, 11]], iteration=(3, 4))
    found = photons(data, "relocalised", sequence=raw(5, -2))
    assert found.values.tolist() == [8, 18]
    found = photons(data, "relocalised", sequence=raw(5, -1))
    assert found.values.tolist() == [5, 11]
    with pytest.raises(ValueError, match=r"\[2\] were left out"):
        photons(data, "relocalised", sequence=raw(5, -3))
    with pytest.raises(ValueError, match="some of"):
        photons(data, "relocalised", iterations=(0,))


def test_data_of_one_iteration_without_numbers():
    data = small([[1], [0]], [[3], [5]])
    assert photons(data).values.tolist() == [3, 0]
    assert photons(data, "all").values.tolist() == [3, 0]


def test_traces_of_one_localization_do_not_tell():
    data = small([[1, 1], [1, 1]], [[3, 5], [7, 11]], tid=[1, 2])
    lazy = photons(data, "relocalised")
    with pytest.raises(DataError, match="Give the sequence"):
        lazy.compute()
    assert photons(data, "relocalised", iterations=[1]).values.tolist() == [5, 11]


def test_invalid_localizations_do_not_tell():
    executed = [[1, 1, 1], [1, 1, 1], [0, 0, 1]]
    data = small(executed, np.ones((3, 3), int))
    assert photons(data, "relocalised").values.tolist() == [3, 3, 1]
    data = data.assign(vld=("localization", [True, False, True]))
    with pytest.raises(DataError):
        photons(data, "relocalised").compute()
    data = data.assign(vld=("localization", [False, True, True]))
    assert photons(data, "relocalised").values.tolist() == [1, 1, 1]


def test_threads_are_told_apart():
    data = small([[1, 1], [1, 1], [0, 1]], np.ones((3, 2), int))
    data = data.assign(thi=("localization", np.array([0, 1, 1], "u1")))
    assert photons(data, "relocalised").values.tolist() == [1, 1, 1]


def test_nothing_left(ds):
    empty = ds.isel(localization=slice(0, 0))
    for which in WHICH:
        assert photons(empty, which).compute().shape == (0,)


def test_filters_and_tables_take_photons(ds, records):
    data = ds.assign(photons=ds.mfx.photons("relocalised"))
    kept = data.mfx.filter(photons=(275, None)).mfx.compact()
    wanted = plain(records, TAIL)
    np.testing.assert_array_equal(kept["photons"], wanted[(wanted >= 275) & records["vld"]])
    again = kept.mfx.photons("relocalised")
    np.testing.assert_array_equal(again, kept["photons"])


def test_data_that_xarray_reads_on_demand_stay_unread(path, records):
    data = xr.open_dataset(path, engine="minflux", view="all")
    with raise_if_computes():
        found = photons(data, "relocalised")
    assert isinstance(found.data, da.Array)
    np.testing.assert_array_equal(found, plain(records, TAIL))


def test_what_the_result_says(ds):
    found = photons(ds, "relocalised", iterations=np.array([9, 8, 8]))
    assert found.name == "photons"
    assert found.attrs["units"] == "1"
    assert found.attrs["which"] == "relocalised"
    assert found.attrs["decided_by"] == "given"
    assert found.attrs["iterations"] == [8, 9]
    steps = json.loads(found.attrs["provenance"])
    assert steps[-1]["step"] == "photons"
    assert steps[-1]["parameters"]["iterations"] == [8, 9]
    assert "iterations" not in photons(ds, "relocalised").attrs
    json.dumps(found.attrs)


def test_wrong_parameters(ds):
    with pytest.raises(ValueError, match="'last', 'relocalised', 'all'"):
        photons(ds, "next")
    with pytest.raises(ValueError, match="which='relocalised'"):
        photons(ds, sequence=raw())
    with pytest.raises(ValueError, match="not both"):
        photons(ds, "relocalised", sequence=raw(), iterations=(9,))
    for wrong in ((), (10,), (-1,), (1.5,)):
        with pytest.raises(ValueError, match="some of"):
            photons(ds, "relocalised", iterations=wrong)
    with pytest.raises(ValueError, match="before last_iteration"):
        photons(ds.mfx.last_iteration())
    for name in ("eco", "position"):
        with pytest.raises(ValueError, match=f"'{name}'"):
            photons(ds.drop_vars(name))
    with pytest.raises(DataError, match=r"none\.json"):
        photons(ds, "relocalised", sequence="none.json")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2D_ValidOnly.npy", "3D_ValidOnly.npy"])
def test_facts_of_the_real_files(data_dir, name):
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())[name]
    data = mfx.open_minflux(data_dir / "minflux" / name, chunk_bytes=1_000_000)
    tail = facts["relocalised_iterations"]
    wanted = sum(facts["eco_sum_per_iteration"][number] for number in tail)
    assert int(photons(data).sum()) == facts["eco_sum_last"]
    assert int(photons(data, "all").sum()) == facts["eco_sum_total"]
    inferred = photons(data, "relocalised")
    assert int(inferred.sum()) == wanted
    shipped = data_dir / "minflux" / "sequences" / f"Imaging_{name[:2]}_Nov2022.json"
    told = photons(data, "relocalised", sequence=shipped)
    assert told.attrs["iterations"] == tail
    np.testing.assert_array_equal(told, inferred)
    # every localization of a valid-only file has the photons that the sequence asks for
    assert int(inferred.min()) >= 250


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2d_small", "3d_small"])
def test_flat_files_give_the_photons_of_nested_ones(data_dir, name, tmp_path):
    folder = data_dir / "minflux" / "derived"
    with mfx.set_options(cache_folder=tmp_path):
        first, second = (mfx.open_minflux(folder / f"{name}_{model}.npy") for model in ("v1", "v2"))
    for which in WHICH:
        np.testing.assert_array_equal(photons(first, which), photons(second, which))


@pytest.mark.realdata
def test_the_sequence_of_an_unpacked_file_is_used(data_dir, tmp_path):
    folder = data_dir / "minflux" / "derived"
    with mfx.set_options(cache_folder=tmp_path):
        data = mfx.open_minflux(folder / "3d_small_v2")
    found = photons(data, "relocalised")
    assert found.attrs["decided_by"] == "sequence Imaging_3D"
    assert found.attrs["iterations"] == [6, 7, 8, 9]
    data.attrs.pop("measurement")
    data.attrs.pop("sequences", None)
    inferred = photons(data, "relocalised")
    assert inferred.attrs["decided_by"] == "inferred from the data"
    np.testing.assert_array_equal(found, inferred)


@pytest.mark.cluster
@pytest.mark.slow
def test_a_cluster_gives_the_same(ds, records):
    with client("local", workers=2, memory_limit="1GiB"):
        found = photons(ds, "relocalised").compute()
    np.testing.assert_array_equal(found, plain(records, TAIL))
