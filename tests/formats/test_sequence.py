"""Sequences against the recorded facts of real files, and hostile ones."""

from __future__ import annotations

import json
import random
import time

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.sequence import (
    Sequence,
    Step,
    dump_sequences,
    load_sequences,
    read_sequence,
    sequences_of,
)

REAL = (
    "Imaging_2D_Nov2022",
    "Imaging_3D_Nov2022",
    "Tracking_2D_Fast_Feb2023",
    "Tracking_2D_Feb2023",
    "blobBgone_Tracking_2D_Oct2022",
)
LIMITS = [160, 400, 100, 50, 67, 33]


def raw(headstart=-2, limits=LIMITS, **more):
    """Return a sequence object with lateral and axial iterations that alternate."""
    patterns = ["square", "zline2"] * len(limits)
    steps = [
        {"phtLimit": limit, "patGeoFactor": 0.8, "Mode": {"pattern": pattern, "dim": 3}}
        for limit, pattern in zip(limits, patterns, strict=False)
    ]
    return {"id": "Own", "Itr": steps, "headstart": headstart, **more}


@pytest.fixture(params=REAL)
def real(request, data_dir):
    name = f"sequences/{request.param}.json"
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())[name]
    return read_sequence(data_dir / "minflux" / name), facts


@pytest.mark.realdata
def test_facts_of_the_real_files(real):
    found, facts = real
    assert found.id == facts["id"]
    assert len(found.iterations) == facts["n_iterations"]
    assert found.headstart == facts["headstart"]
    assert list(found.photon_limits) == facts["phtLimit"]
    assert found.photons_first_min == facts["photons_first_min"]
    assert found.photons_next_min == facts["photons_next_min"]
    assert list(found.relocalised) == facts["relocalised"]
    assert list(found.cfr_limited) == facts["cfr_measured"]
    assert found.stickiness == facts["stickiness"]
    assert found.background_sensing is facts["bgcSense"]
    steps = found.iterations
    assert [step.cfr_limit for step in steps] == facts["ccrLimit"]
    assert [step.pattern for step in steps] == facts["pattern"]
    assert [step.dwell_time_s for step in steps] == facts["patDwellTime_s"]
    wanted = [f if isinstance(f, list) else [f, f] for f in facts["patGeoFactor"]]
    assert [list(step.pattern_factor) for step in steps] == wanted


@pytest.mark.realdata
def test_real_files_survive_as_text(real):
    found, _ = real
    assert Sequence.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert load_sequences(dump_sequences([found, found])) == (found, found)


@pytest.mark.realdata
def test_lateral_and_axial_alternate_in_3d(data_dir):
    folder = data_dir / "minflux" / "sequences"
    found = read_sequence(folder / "Imaging_3D_Nov2022.json")
    assert found.axial == (1, 3, 5, 7, 9)
    assert found.lateral == (0, 2, 4, 6, 8)
    assert {step.dim for step in found.iterations} == {3}
    flat = read_sequence(folder / "Tracking_2D_Fast_Feb2023.json")
    assert (flat.lateral, flat.axial) == ((0, 1, 2, 3), ())
    assert [step.wavelength_m for step in flat.iterations] == [6.8e-07, *[6.42e-07] * 3]
    assert [step.mode for step in flat.iterations] == ["prbt", "mflx", "mflx", "mfx3"]


@pytest.mark.realdata
@pytest.mark.parametrize("dimensions", [2, 3])
def test_pattern_size_is_the_measured_one(data_dir, dimensions):
    """``ext`` of the records was written by the instrument, not computed by us."""
    rows = np.load(data_dir / "minflux" / f"{dimensions}D_ValidOnly.npy", mmap_mode="r")
    name = f"Imaging_{dimensions}D_Nov2022.json"
    sizes = np.array(read_sequence(data_dir / "minflux" / "sequences" / name).pattern_size_m)
    np.testing.assert_allclose(sizes, rows["itr"]["ext"][0][:, [0, 2]], rtol=1e-12)


@pytest.mark.realdata
def test_the_measurement_of_an_unpacked_file(data_dir):
    attrs = json.loads((data_dir / "minflux/derived/3d_small_v2/zarr/mfx/.zattrs").read_text())
    shipped = read_sequence(data_dir / "minflux/sequences/Imaging_3D_Nov2022.json")
    assert sequences_of(attrs["measurement"]) == (shipped,)
    assert sequences_of(attrs) == (shipped,)


@pytest.mark.parametrize(
    ("headstart", "repeated", "photons"),
    [
        (-1, (5,), 33),
        (-6, (0, 1, 2, 3, 4, 5), 810),
        (-99, (0, 1, 2, 3, 4, 5), 810),
        (-(10**30), (0, 1, 2, 3, 4, 5), 810),
        (0, (0, 1, 2, 3, 4, 5), 810),
        (2, (0, 1, 2, 3, 4, 5), 810),
        (-2.0, (4, 5), 100),
    ],
)
def test_headstart(headstart, repeated, photons):
    found = Sequence.from_dict(raw(headstart))
    assert found.relocalised == repeated
    assert (found.photons_first_min, found.photons_next_min) == (810, photons)


@pytest.mark.parametrize("headstart", [None, "unspecified", 1.5, float("nan"), [], True])
def test_without_a_headstart_nothing_is_claimed(headstart):
    found = Sequence.from_dict(raw(headstart))
    assert found.relocalised is None
    assert found.photons_next_min is None
    assert found.photons_first_min == 810


def test_all_keys_are_optional():
    found = Sequence.from_dict({"Itr": [{}, {}]})
    assert found == Sequence(None, (Step(), Step()))
    assert (found.lateral, found.axial, found.cfr_limited) == ((), (), ())
    assert found.photons_first_min is None
    assert found.pattern_size_m == (None, None)
    assert Sequence.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    "odd", [None, "unspecified", True, [], {}, [1, "x"], [1, 2, 3], 10**400, float("inf")]
)
def test_values_of_another_kind_are_not_known(odd):
    keys = ("phtLimit", "ccrLimit", "bgcThreshold", "patDwellTime", "patGeoFactor", "patRepeat")
    step = {**dict.fromkeys(keys, odd), "Mode": odd, "wavelength": odd, "_excitation": odd}
    found = Sequence.from_dict({"Itr": [step], "stickiness": odd, "locLimit": odd})
    assert found.iterations == (Step(),)
    assert (found.stickiness, found.localization_limit) == (None, None)


def test_newer_files_tell_the_wavelength_elsewhere():
    entries = [{"_excitation": {"wavelength": 6.4e-7}}, {"_wavelength": 5.6e-7}]
    found = Sequence.from_dict({"Itr": entries})
    assert [step.wavelength_m for step in found.iterations] == [6.4e-7, 5.6e-7]


@pytest.mark.parametrize(
    ("mode", "direction"),
    [
        ({"pattern": "zline"}, "axial"),
        ({"pattern": "zline3"}, "axial"),
        ({"id": "mxa3"}, "axial"),
        ({"id": "mxl3", "pattern": "square"}, "lateral"),
        ({"pattern": "triangle"}, "lateral"),
        ({"dim": 3}, None),
    ],
)
def test_direction(mode, direction):
    assert Sequence.from_dict({"Itr": [{"Mode": mode}]}).iterations[0].direction == direction


@pytest.mark.parametrize(
    "found", [{}, {"Itr": {}}, {"Itr": []}, {"Itr": [1]}, {"Itr": "abc"}, {"headstart": -1}]
)
def test_what_is_no_sequence(found):
    with pytest.raises(DataError, match="Itr"):
        Sequence.from_dict(found)


def test_sequences_of_several_threads():
    first, second = raw(-1), raw(-2)
    wanted = (Sequence.from_dict(first), Sequence.from_dict(second))
    threads = [{"sequences": [first]}, {"sequences": [second]}]
    assert sequences_of({"threads": threads}) == wanted
    assert sequences_of({"threads": [{"sequences": [first, second]}]}) == wanted
    nested = [{"sequences": json.dumps([first, second])}]
    assert sequences_of({"threads": json.dumps(nested)}) == wanted
    assert sequences_of({"measurement": json.dumps({"threads": nested})}) == wanted


def test_sequences_of_converted_data():
    wanted = (Sequence.from_dict(raw()),)
    for entries in ([raw()], {"seq": raw()}, raw(), json.dumps([raw()])):
        assert sequences_of({"_legacy": {"_seqs": entries, "_lasSelected": 1}}) == wanted
    assert sequences_of({"measurement": {"_legacy": {"_seqs": [raw()]}}}) == wanted
    both = {"threads": [{"sequences": [raw()]}], "_legacy": {"_seqs": [raw(-1)]}}
    assert sequences_of(both) == wanted


@pytest.mark.parametrize("odd", [None, 3, "text", "[1", "[[", [], {}, [[]], [{}], [{"Itr": 1}]])
def test_attributes_of_another_shape_have_no_sequence(odd):
    assert sequences_of({"threads": odd}) == ()
    assert sequences_of({"threads": [odd]}) == ()
    assert sequences_of({"threads": [{"sequences": odd}]}) == ()
    assert sequences_of({"_legacy": odd, "measurement": odd}) == ()


def test_a_file_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "own.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(raw()).encode())
    assert read_sequence(path) == Sequence.from_dict(raw())


def test_no_file(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(DataError, match=str(path)):
            read_sequence(path)


def test_truncated_files(tmp_path):
    text = json.dumps(raw()).encode()
    path = tmp_path / "cut.json"
    for size in range(0, len(text), max(len(text) // 100, 1)):
        path.write_bytes(text[:size])
        with pytest.raises(DataError, match=str(path)):
            read_sequence(path)


def test_flipped_bytes(tmp_path):
    text = json.dumps(raw()).encode()
    path, rng = tmp_path / "flipped.json", random.Random(5)
    for _ in range(200):
        damaged = bytearray(text)
        damaged[rng.randrange(len(text))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            found = read_sequence(path)
        except DataError:
            continue
        assert len(found.iterations) == len(LIMITS)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"Itr":' * 10_000,
        b'{"Itr": [{}], "Itr": [{}]}',
        b'{"Itr": [{"phtLimit": ' + b"9" * 5000 + b"}]}",
        b'[{"Itr": [{}]}]',
        b"null",
        b"\x00" * 100,
        b"\xff\xfe",
        b'{"Itr": [{}]' + b" " * (5 * 2**20) + b"}",
    ],
)
def test_hostile_files(tmp_path, text):
    path = tmp_path / "hostile.json"
    path.write_bytes(text)
    begin = time.perf_counter()
    with pytest.raises(DataError, match=str(path)):
        read_sequence(path)
    assert time.perf_counter() - begin < 2


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[{}]", "[" * 100])
def test_a_text_that_holds_no_sequences(text):
    with pytest.raises(DataError):
        load_sequences(text)
