"""JSON files of MINFLUX records."""

from __future__ import annotations

import json
import pickle
import random
import resource
import time
import tracemalloc

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.json import stream as json_stream
from mfxarray.formats.json.minflux import open_json
from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from tests.formats.json.json_samples import (
    as_objects,
    flat_records,
    nested_records,
    read_all,
    same,
    saved,
    table,
)

REDUCED = {"tim": 1.5, "tid": 7, "loc": [1e-7, 2e-7], "eco": 5, "efo": 2.5, "cfr": 0.5}


def fails(path, match: str, **settings) -> DataError:
    with pytest.raises(DataError, match=match) as caught:
        read_all(path, **settings)
    assert str(path) in str(caught.value)
    return caught.value


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2d_small_v1", "3d_small_v1", "2d_small_v2", "3d_small_v2"])
def test_derived_files_equal_their_npy(data_dir, name):
    folder = data_dir / "minflux" / "derived"
    expected = np.load(folder / f"{name}.npy")
    found = read_all(folder / f"{name}.json")
    same(found, expected)
    if name.endswith("v1"):
        assert found.dtype == expected.dtype
    else:
        wide = {
            key: found.dtype[key].base.name
            for key in found.dtype.names
            if found.dtype[key] != expected.dtype[key]
        }
        assert wide == {"cfr": "float32", "dcr": "float32"}


@pytest.mark.realdata
def test_reduced_file_has_its_facts(data_dir):
    path = data_dir / "minflux" / "nup96.json"
    facts = json.loads((data_dir / "minflux" / "facts.json").read_text())["nup96.json"]
    (measurement,) = open_json(path)
    assert measurement.attrs == {"z_scaling": 1.0, "container_version": "2021 reduced"}
    assert measurement.container == "json"
    assert measurement.warnings == ()
    rows = table(measurement)
    assert rows.dtype.names == ("itr", "tim", "tid", "vld")
    assert rows["itr"].dtype.names == ("loc", "eco", "efo", "cfr")
    assert rows["itr"].shape == (facts["n_rows"], 1)
    assert rows["vld"].sum() == facts["n_valid"]
    assert len(np.unique(rows["tid"])) == facts["n_traces"]
    assert rows["itr"]["eco"].sum() == facts["eco_sum_total"]
    position = rows["itr"]["loc"][:, 0]
    columns = {"x": position[:, 0], "y": position[:, 1], "tim": rows["tim"]}
    columns |= {"efo": rows["itr"]["efo"], "cfr": rows["itr"]["cfr"]}
    for name, values in columns.items():
        fact = facts["loc_m"].get(name) or facts[name]
        assert (values.min(), values.max()) == (fact["min"], fact["max"])
        assert values.mean() == pytest.approx(fact["mean"], rel=1e-9)
    assert not position[:, 2].any()


@pytest.mark.parametrize("rows", [nested_records(40), nested_records(5, 1), flat_records(50)])
@pytest.mark.parametrize("settings", [{}, {"indent": "\t"}, {"separators": (",", ":")}])
def test_round_trip_of_records(tmp_path, rows, settings):
    same(read_all(saved(tmp_path, rows, **settings)), rows)


@pytest.mark.parametrize("rows", [nested_records(60), flat_records(200)])
@pytest.mark.parametrize("size", [1, 700, 5000, 10**6])
def test_that_block_borders_do_not_matter(tmp_path, monkeypatch, rows, size):
    monkeypatch.setattr(json_stream, "_BLOCK_BYTES", size)
    same(read_all(saved(tmp_path, rows)), rows)


def test_that_results_do_not_depend_on_the_path(tmp_path):
    rng = random.Random(1)
    for rows in (nested_records(60, 2), flat_records(200)):
        objects = as_objects(rows)
        for record in rng.sample(objects[1:], len(objects) // 2):
            pairs = list(record.items())
            rng.shuffle(pairs)
            record.clear()
            record.update(pairs)
        same(read_all(saved(tmp_path, objects)), rows)


@pytest.mark.parametrize("orders", [0, 1, 4])
def test_orders_of_keys_that_come_again(tmp_path, monkeypatch, orders):
    monkeypatch.setattr(json_stream, "_ORDERS", orders)
    monkeypatch.setattr(json_stream, "_BLOCK_BYTES", 9000)
    slow = []
    read = json_stream.read_loosely
    monkeypatch.setattr(
        json_stream, "read_loosely", lambda *a, **k: slow.append(1) or read(*a, **k)
    )
    rows = flat_records(300)
    objects = as_objects(rows)
    objects[1]["tim"] = rows["tim"][1] = 5e-324
    for number, record in enumerate(objects[1:]):
        turned = list(record.items())[number % 3 :] + list(record.items())[: number % 3]
        record.clear()
        record.update(turned)
    same(read_all(saved(tmp_path, objects)), rows)
    assert len(slow) == {0: 200, 1: 101, 4: 3}[orders]


def test_order_of_fields_is_that_of_the_file(tmp_path):
    objects = [dict(reversed(record.items())) for record in as_objects(flat_records(9))]
    (measurement,) = open_json(saved(tmp_path, objects))
    assert measurement.rows.dtype.names == flat_record_dtype().names[::-1]
    same(table(measurement)[list(flat_record_dtype().names)], flat_records(9))


@pytest.mark.parametrize("key", ["mfx", "records", "data"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_wrapping_object(tmp_path, key, bom):
    rows = flat_records(7)
    text = {"a": {"mfx": [1, "}]"]}, "b": 'x"]', "c": float("nan"), "d": -2.5e3, "e": None}
    wrapped = {**text, key: as_objects(rows), "f": [[{"g": "]"}]], "h": True}
    path = saved(tmp_path, bom + b" \r\n\t" + json.dumps(wrapped, indent=1).encode() + b"\n")
    same(read_all(path), rows)


def test_wrapping_object_with_much_before_the_records(tmp_path):
    rows = flat_records(5)
    wrapped = {"grd": [["[{\\"] * 50] * 9000, "note": "x" * 200_000, "mfx": as_objects(rows)}
    path = saved(tmp_path, wrapped)
    assert path.stat().st_size > 2**21
    same(read_all(path), rows)


def test_null_is_nan_in_numbers_only(tmp_path):
    objects = as_objects(flat_records(3))
    objects[0]["efo"] = objects[2]["tim"] = None
    objects[1]["loc"][1] = None
    found = read_all(saved(tmp_path, objects))
    assert np.isnan([found["efo"][0], found["tim"][2], found["loc"][1, 1]]).all()
    objects[2]["eco"] = None
    fails(saved(tmp_path, objects), "field eco is null, expected an integer .record 2, offset")
    objects[2]["eco"], objects[2]["vld"] = 1, None
    fails(saved(tmp_path, objects), "field vld is None, expected true or false")


def test_numbers_that_need_python(tmp_path):
    objects = as_objects(nested_records(4))
    text = saved(tmp_path, objects).read_text()
    old = json.dumps(objects[1]["tim"])
    for new in [
        "5e-324",
        "1e999",
        "9" * 400,
        "0." + "1" * 60,
        "-0",
        "1.5E+3",
        "9007199254740993.0",
    ]:
        found = read_all(saved(tmp_path, text.replace(old, new)))
        assert found["tim"][1] == float(new), new
    objects[2]["itr"][1]["tic"] = 2**64 - 1
    assert read_all(saved(tmp_path, objects))["itr"]["tic"][2, 1] == 2**64 - 1


def test_unknown_fields_are_carried(tmp_path):
    objects = as_objects(flat_records(6))
    for number, record in enumerate(objects):
        record["count"] = number
        record["mixed"] = number if number % 2 == 0 else 0.5
        record["flag"] = number == 2
        record["vector"] = [number, number + 1, None]
        record["grid"] = [1, 2]
    (measurement,) = open_json(saved(tmp_path, objects))
    found = table(measurement)
    names = ("count", "mixed", "flag", "vector", "grid")
    kinds = ["int64", "float64", "bool", "float64", "int64"]
    assert [found.dtype[name].base.name for name in names] == kinds
    assert found["count"].tolist() == list(range(6))
    assert found["mixed"].tolist() == [0, 0.5, 2, 0.5, 4, 0.5]
    assert found["flag"].tolist() == [False, False, True, False, False, False]
    assert found["vector"][3, :2].tolist() == [3, 4]
    assert found["grid"].shape == (6, 2)


def test_what_is_no_number_is_dropped_and_named(tmp_path):
    objects = as_objects(nested_records(6))
    for number, record in enumerate(objects):
        record["note"] = f'a}}]{{["\\{number}' if number % 2 else "plain"
        record["extra"] = {"deep": [number]}
        record["../evil"] = 5
        record["empty"] = []
        for step in record["itr"]:
            step["name"] = "é"
            step["more"] = 0.25 * number
    (measurement,) = open_json(saved(tmp_path, objects))
    found = table(measurement)
    assert found.dtype.names == record_dtype(3).names
    assert (found["itr"]["more"] == 0.25 * np.arange(6)[:, None]).all()
    assert measurement.warnings == (
        "fields that are no numbers are left out: itr.name, note, extra, ../evil, empty",
    )


def test_reduced_records(tmp_path):
    more = {"dcr": 0.5, "fbg": 1.0, "sky": 3, "odd": 1.5, "vld": False}
    found = read_all(saved(tmp_path, [{**REDUCED, **more}, {**REDUCED, **more, "vld": True}]))
    assert found.dtype == np.dtype(
        [
            (
                "itr",
                [("loc", "f8", (3,)), ("eco", "i4")]
                + [(name, "f8") for name in ("efo", "cfr", "dcr", "fbg")],
                (1,),
            ),
            ("tim", "f8"),
            ("tid", "i4"),
            ("vld", "?"),
            ("sky", "i4"),
            ("odd", "f8"),
        ]
    )
    assert found["vld"].tolist() == [False, True]
    assert found["itr"]["loc"][1, 0].tolist() == [1e-7, 2e-7, 0.0]


def test_one_detector(tmp_path):
    for given in (0.25, [0.25]):
        objects = [{**record, "dcr": given} for record in as_objects(flat_records(3))]
        found = read_all(saved(tmp_path, objects))
        assert found["dcr"].tolist() == [[0.25]] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["itr"].pop(), "has 2 iterations, the first one 3 .record 4, offset"),
        (lambda r: r["itr"].append(r["itr"][0]), "has 4 iterations, the first one 3"),
        (lambda r: r.pop("tid"), "field tid is missing .record 4"),
        (lambda r: r["itr"][1].pop("eco"), "field itr.1.eco is missing"),
        (lambda r: r.update(extra=1), "field extra is there, but not in the first"),
        (lambda r: r["itr"][0]["loc"].pop(), "field itr.0.loc.2 is missing"),
        (lambda r: r["itr"][0]["loc"].append(1), "field itr.0.loc.3 is there"),
        (lambda r: r.update(tid=1.5), "field tid is 1.5, expected an integer"),
        (lambda r: r.update(tid=2**31), "outside -2147483648 to 2147483647"),
        (lambda r: r.update(sqi=-1), "field sqi is -1, outside 0"),
        (lambda r: r.update(sqi=10**4000), "field sqi is a huge integer, outside 0"),
        (lambda r: r.update(sqi=True), "field sqi is True, expected a number"),
        (lambda r: r.update(tim="1.5"), "field tim is '1.5', expected a number"),
        (lambda r: r.update(tim=[1.5]), "field tim is missing"),
        (lambda r: r.update(vld=2), "field vld is 2, expected true or false"),
        (lambda r: r.update(vld="true"), "field vld is 'true'"),
        (lambda r: r.update(itr=5), "field itr.0.itr is missing"),
        (lambda r: r.clear(), "missing"),
    ],
)
def test_records_that_do_not_fit(tmp_path, change, message):
    objects = as_objects(nested_records(6))
    change(objects[4])
    error = fails(saved(tmp_path, objects), message)
    assert error.place.startswith("record 4, offset ")


def test_float32_fields_refuse_what_they_cannot_hold(tmp_path):
    objects = as_objects(flat_records(3))
    objects[1]["efo"] = 1e39
    fails(saved(tmp_path, objects), "field efo is 1e.39, too large for the 32 bits")


@pytest.mark.parametrize("number", [0, 3])
def test_duplicate_keys(tmp_path, number):
    texts = [json.dumps(record) for record in as_objects(flat_records(5))]
    texts[number] = texts[number][:-1] + ', "tid": 5}'
    fails(saved(tmp_path, f"[{', '.join(texts)}]"), "key tid is there twice")
    wrapped = f'{{"a": 1, "a": 2, "mfx": [{texts[1]}]}}'
    fails(saved(tmp_path, wrapped), "key 'a' is there twice")
    wrapped = f'{{"mfx": [{texts[1]}], "mfx": []}}'
    fails(saved(tmp_path, wrapped), "key 'mfx' is there twice")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "begins with neither"),
        ("hello", "begins with neither"),
        (" ", "begins with neither"),
        ('"[{}]"', "begins with neither"),
        ("[]", "empty list"),
        ("[1, 2]", "no list of records"),
        ("[[1], [2]]", "no list of records"),
        ("{}", "holds no list of records"),
        ('{"a": [{}]}', "holds no list of records"),
        ('{"mfx": {}}', "holds no list of records"),
        ("[{}]", "no field loc"),
        ('[{"a": 1}]', "no field loc"),
        ('[{"itr": 1, "loc": [1, 2, 3]}]', "no field tid"),
        ('[{"itr": []}]', "neither a number nor a list"),
        ('[{"itr": "x"}]', "neither a number nor a list"),
        (
            '[{"itr": [{"loc": [1, 2, 3]}, {"eco": 1}], "tid": 1, "tim": 2}]',
            "iteration 1 has other",
        ),
        ('[{"itr": [{"loc": [1, [2], 3]}], "tid": 1, "tim": 2}]', "no plain numbers"),
        (
            '[{"itr": [{"loc": 5}], "tid": 1, "tim": 2}]',
            "loc holds one number, expected a list of 3",
        ),
        ('[{"itr": 0, "loc": [1, 2, 3], "tid": {"a": 1}, "tim": 2}]', "no plain numbers"),
        ('[{"itr": 0, "loc": [1, 2, 3], "tid": "1", "tim": 2}]', "no plain numbers"),
        ('[{"fnl": true, "loc": [1, 2, 3], "tid": 1, "tim": 2}]', "have fnl, but no field itr"),
        ('{"a" 1}', "expected :"),
        ("{5: 1}", "expected a key"),
        ('{"a": 1 "b": 2}', "expected ,"),
        ('{"a": flse}', "a value is missing"),
        ('[{"a": tru}]', "is no JSON"),
        ("[{'a': 1}]", "is no JSON"),
    ],
)
def test_what_is_no_file_of_records(tmp_path, text, message):
    fails(saved(tmp_path, text), message)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (",]", "expected {, a comma"),
        ("] 5]", "goes on after its end"),
        (" 5]", "expected {, a comma"),
    ],
)
def test_what_stands_behind_the_records(tmp_path, end, message):
    text = json.dumps(as_objects(flat_records(3)))
    fails(saved(tmp_path, text[:-1] + end), message)


def test_truncation_at_every_percent(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "_BLOCK_BYTES", 4096)
    for rows in (nested_records(24), flat_records(40)):
        whole = saved(tmp_path, {"mfx": as_objects(rows), "z": [1]}).read_bytes()
        for cut in sorted({len(whole) * part // 100 for part in range(100)} - {0}):
            path = saved(tmp_path, whole[:cut])
            fails(path, "cut off|empty|neither|record 0|ends within|expected")
            try:
                (measurement,) = open_json(path, strict=False)
            except DataError:
                assert cut < 0.1 * len(whole)
                continue
            with pytest.warns(UserWarning, match="ends within its list of records|offset"):
                found = table(measurement)
            same(found, rows[: len(found)])
            assert len(found) >= (cut - 20) * len(rows) // len(whole) - 1


def test_truncation_is_told_at_once_and_with_the_record(tmp_path):
    rows = flat_records(20)
    text = saved(tmp_path, rows).read_text()
    path = saved(tmp_path, text[:-30])
    with pytest.raises(DataError, match="is cut off"):
        open_json(path)
    (measurement,) = open_json(path, strict=False)
    assert "is cut off" in measurement.warnings[0]
    with pytest.warns(UserWarning, match="after 19 whole ones .record 19, offset"):
        assert len(table(measurement)) == 19
    # cut behind a list within a record: nothing to see at the end of the file
    path = saved(tmp_path, text[: text.rindex("]", 0, -3) + 1])
    (measurement,) = open_json(path)
    with pytest.raises(DataError, match=r"after 19 whole ones .record 19, .* strict=False"):
        table(measurement)


def test_byte_flips(tmp_path):
    rng = random.Random(2)
    for rows in (nested_records(4, 2), flat_records(12)):
        whole = saved(tmp_path, rows).read_bytes()
        for _ in range(150):
            damaged = bytearray(whole)
            damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            path = saved(tmp_path, bytes(damaged))
            try:
                found = read_all(path)
            except DataError:
                continue
            records = json.loads(bytes(damaged), parse_int=float)
            expected = [record["tim"] for record in records]
            assert found["tim"].tolist() == [np.nan if v is None else v for v in expected]
            assert found["tid"].tolist() == [record["tid"] for record in records]


HOSTILE = {
    "deep lists": '[{"a": ' + "[" * 100_000,
    "deep objects": '[{"a": ' + '{"a":' * 100_000,
    "deep at the top": "[" * 100_000,
    "deep key before": '{"a": ' + "[" * 100_000,
    "unterminated text": '[{"a": "' + "x" * 10_000_000,
    "unterminated key": '{"' + "x" * 10_000_000,
    "unterminated list": '{"a": [' + "1, " * 3_000_000,
    "huge record": '[{"a": "' + "x" * 10_000_000 + '"}]',
    "many brackets": '[{"a": [' + "[], " * 950_000 + "[]]}]",
    "huge integer": '[{"a": ' + "9" * 3_000_000 + "}]",
    "many values": '[{"itr": 0, "loc": [1,2,3], "tid": 1, "tim": 2, "u": [' + "0,"*70_000 + "0]}]",
    "many iterations": '[{"tid": 1, "tim": 2, "itr": ['
    + '{"loc": [1,2,3]},' * 30_000
    + '{"loc": [1,2,3]}]}]',
    "blanks": " " * 5_000_000,
    "zeros": "[" + "\0" * 5_000_000,
    "escapes": '[{"' + "\\" * 5_000_001,
    "commas": "[" + "," * 1_000_000,
    "empty records": "[" + "{}, " * 1_000_000 + "{}]",
    "no text": "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path, name):
    path = saved(tmp_path, HOSTILE[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    with pytest.raises(DataError):
        read_all(path, strict=False)
    assert time.perf_counter() - begin < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024


def test_a_large_record_and_many_empty_ones(tmp_path):
    objects = [{**record, "u": [0] * 50_000} for record in as_objects(flat_records(1))]
    text = json.dumps(objects)[:-1] + ", {}" * 70_000 + "]"
    tracemalloc.start()
    fails(saved(tmp_path, text), "is missing .record 1,")
    assert tracemalloc.get_traced_memory()[1] < 128 * 2**20
    tracemalloc.stop()


def test_a_damaged_record_ends_after_those_before(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "_BLOCK_BYTES", 3000)
    texts = [json.dumps(record) for record in as_objects(flat_records(50))]
    texts[40] = texts[40].replace('"tid"', '"tdi"')
    (measurement,) = open_json(saved(tmp_path, f"[{', '.join(texts)}]"))
    seen = []
    pieces = (
        seen.append(piece.start + len(piece.values)) for _, piece in measurement.rows.pieces()
    )
    with pytest.raises(DataError, match="record 40, offset"):
        list(pieces)
    assert 30 <= max(seen) <= 40


def test_that_a_stream_travels_and_runs_again(tmp_path):
    rows = nested_records(30)
    (measurement,) = open_json(saved(tmp_path, rows))
    sent = pickle.loads(pickle.dumps(measurement))
    assert sent.rows.identity() == measurement.rows.identity()
    assert sent.rows.n_rows is None
    assert sent.rows.source == measurement.source
    for _ in range(2):
        same(table(sent), rows)


def test_identity_tells_files_and_layouts_apart(tmp_path):
    first = open_json(saved(tmp_path, flat_records(3)))[0].rows.identity()
    second = open_json(saved(tmp_path, flat_records(4)))[0].rows.identity()
    assert first != second


def test_that_a_changed_file_is_refused(tmp_path):
    path = saved(tmp_path, flat_records(5))
    (measurement,) = open_json(path)
    saved(tmp_path, flat_records(6))
    with pytest.raises(DataError, match="changed on disk"):
        table(measurement)


def test_that_a_stream_can_be_left_early(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "_BLOCK_BYTES", 2000)
    (measurement,) = open_json(saved(tmp_path, flat_records(100)))
    pieces = measurement.rows.pieces()
    next(pieces)
    pieces.close()


def test_memory_stays_small(tmp_path):
    text = json.dumps(as_objects(flat_records(2000)))[1:-1]
    path = saved(tmp_path, "[" + ", ".join([text] * 60) + "]")
    assert path.stat().st_size > 45e6
    (measurement,) = open_json(path)
    tracemalloc.start()
    count = sum(
        len(piece.values) for _, piece in measurement.rows.pieces() if piece.path == ("tid",)
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 120_000
    assert peak < 100 * 2**20


def test_missing_and_empty_files(tmp_path):
    with pytest.raises(DataError, match="cannot be opened"):
        open_json(tmp_path / "none.json")
    fails(saved(tmp_path, b""), "is empty")
