"""Text tables give the numbers that are in them, in metres, or an error with the line."""

from __future__ import annotations

import csv
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.tables import Measurement
from mfxarray.formats.text import table as text_table
from mfxarray.formats.text.table import open_text
from mfxarray.options import set_options
from mfxarray.records.columns import spool

PYMINFLUX = "tid,tim,x,y,z,efo,cfr,eco,dcr,dwell,fluo"
ROW = "7,0.5,100.25,-200,300,50000,0.5,150,0.25,3,1"
NM = "tid,tim,x (nm),y (nm),z (nm)\n"


def opened(folder: Path, text: str | bytes, **settings) -> Measurement:
    path = folder / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (found,) = open_text(path, **settings)
    return found


def rows_of(measurement: Measurement, strict: bool = True) -> np.ndarray:
    """Return the rows by putting the pieces together, with nothing of ours in between."""
    stream = measurement.rows
    parts: dict = {}
    for share, piece in stream.pieces():
        assert 0 <= share <= 1
        parts.setdefault((piece.path, piece.index), []).append((piece.start, piece.values))
    rows = None
    for (path, index), pieces in parts.items():
        values = np.concatenate([values for _, values in pieces])
        assert [start for start, _ in pieces] == np.cumsum(
            [0, *(len(values) for _, values in pieces)]
        )[:-1].tolist()
        rows = np.zeros(len(values), stream.dtype) if rows is None else rows
        field = rows
        for name in path:
            field = field[name]
        assert field.dtype == values.dtype
        field[(slice(None), *index)] = values
    return np.zeros(0, stream.dtype) if rows is None else rows


def test_pyminflux(tmp_path: Path) -> None:
    comments = '# fluorophores: {"1": "AF647"}\n#tid offsets\n'
    found = opened(tmp_path, f"{comments},{PYMINFLUX}\n0,{ROW}\n1,{ROW}\n")
    rows = rows_of(found)
    assert rows["itr"]["loc"].tolist() == [[[100.25e-9, -200e-9, 300e-9]]] * 2
    assert rows.dtype["itr"].shape == (1,)
    assert rows["tid"].tolist() == [7, 7]
    assert rows["tim"].tolist() == [0.5, 0.5]
    assert rows["vld"].all()
    for name, value in [("efo", 5e4), ("cfr", 0.5), ("eco", 150), ("dcr", 0.25)]:
        assert rows["itr"][name].tolist() == [[value]] * 2
    assert rows["itr"]["eco"].dtype == "<i4"
    assert (rows["fluo"].dtype, rows["fluo"].tolist()) == ("u1", [1, 1])
    assert rows["dwell"].tolist() == [3, 3]
    assert rows.dtype.names == ("itr", "tim", "tid", "vld", "dwell", "fluo")
    assert found.attrs["z_scaling"] == 1.0
    assert found.attrs["container_version"] == "pyMINFLUX csv"
    assert "scaling factor of its session" in found.warnings[0]
    assert (found.container, found.label) == ("text", "P1")


def test_newer_pyminflux_and_quoted_names(tmp_path: Path) -> None:
    names = ",".join(f'"{name}"' for name in f"{PYMINFLUX},fbg,iid".split(","))
    rows = rows_of(opened(tmp_path, f"\ufeff{names}\r\n{ROW},123.5,9\r\n"))
    assert rows["itr"]["fbg"].tolist() == [[123.5]]
    assert rows["iid"].tolist() == [9]
    assert rows["iid"].dtype == "i8"


@pytest.mark.parametrize(
    ("header", "per_metre"),
    [
        ("tid,tim,x (nm),y (nm),z (nm)", 1e9),
        ("tid,tim,x [nm],y [nm],z [nm]", 1e9),
        ("TID,t (s),X_nm,Y_nm,Z_nm", 1e9),
        ("trace id,t (s),x (m),y (m),z (m)", 1),
        ("tid;tim;x (µm);y (um);z[μm]", 1e6),
        ("tid\ttim\tx (mm)\ty (mm)\tz (mm)", 1e3),
    ],
)
def test_units_of_the_header(tmp_path: Path, header: str, per_metre: float) -> None:
    mark = next(mark for mark in "\t;," if mark in header)
    row = mark.join(["3", "1.5", "10", "20.5", "-30"])
    rows = rows_of(opened(tmp_path, f"{header}\n{row}\n"))
    assert rows["itr"]["loc"][0, 0].tolist() == [10 / per_metre, 20.5 / per_metre, -30 / per_metre]
    assert rows["tid"].tolist() == [3]
    assert rows["tim"].tolist() == [1.5]


def test_micro_sign_of_an_old_windows(tmp_path: Path) -> None:
    rows = rows_of(opened(tmp_path, "tid,tim,x (µm),y (µm)\n1,2,3,4\n".encode("latin-1")))
    assert rows["itr"]["loc"][0, 0].tolist() == [3e-6, 4e-6, 0]


def test_milliseconds(tmp_path: Path) -> None:
    rows = rows_of(opened(tmp_path, "tid,t [ms],x_nm,y_nm\n1,250,3,4\n"))
    assert rows["tim"].tolist() == [0.25]


@pytest.mark.parametrize("header", ["tid,t,x,y,z", "X,Y,Z,tid,t", "tid,tim,x,y,z,efo"])
def test_unit_must_be_known(tmp_path: Path, header: str) -> None:
    text = f"{header}\n" + ",".join(["5"] * len(header.split(","))) + "\n"
    with pytest.raises(DataError, match=r'does not say in which unit.*units="nm".*only|guess'):
        opened(tmp_path, text)
    for units, metres in [("nm", 5e-9), ("um", 5e-6), ("µm", 5e-6), ("m", 5.0)]:
        rows = rows_of(opened(tmp_path, text, units=units))
        assert rows["itr"]["loc"].tolist() == [[[metres] * 3]]


def test_unit_that_contradicts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is in nm, but units='m' was given"):
        opened(tmp_path, NM + "1,2,3,4,5\n", units="m")
    assert len(rows_of(opened(tmp_path, NM + "1,2,3,4,5\n", units="nm"))) == 1
    with pytest.raises(DataError, match="unknown unit 'furlong'"):
        opened(tmp_path, "tid,tim,x (furlong),y (nm)\n1,2,3,4\n")
    with pytest.raises(DataError, match="unknown unit 'h'"):
        opened(tmp_path, "tid,t (h),x (nm),y (nm)\n1,2,3,4\n")
    with pytest.raises(ValueError, match="units='inch' is not known"):
        opened(tmp_path, NM, units="inch")


def test_headerless(tmp_path: Path) -> None:
    text = "1\t0.5\t1e-6\t-2e-6\t3e-7\n1\t0.6\t1.5e-6\t-2e-6\t3e-7\n"
    found = opened(tmp_path, text)
    rows = rows_of(found)
    assert rows["itr"]["loc"][:, 0].tolist() == [[1e-6, -2e-6, 3e-7], [1.5e-6, -2e-6, 3e-7]]
    assert rows["tim"].tolist() == [0.5, 0.6]
    assert found.attrs["container_version"] == "headerless"
    nanometres = rows_of(opened(tmp_path, "1\t0.5\t1000\t-2000\t300\n", units="nm"))
    assert nanometres["itr"]["loc"][0, 0].tolist() == [1e-6, -2e-6, 3e-7]


@pytest.mark.parametrize(
    "text",
    [
        "1\t0.5\t1000\t-2000\t300\n",  # cannot be metres
        "1,0.5,1e-6,2e-6,3e-7\n",
        "1.5\t0.5\t1e-6\t2e-6\t3e-7\n",
        "1\t0.5\t1e-6\t2e-6\n",
    ],
)
def test_headerless_and_unknown(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="no names"):
        opened(tmp_path, text)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    found = opened(tmp_path, "x (nm),y (nm)\n1,2\n3,4\n")
    rows = rows_of(found)
    assert found.attrs["filled"] == ["tid", "tim", "z", "vld"]
    assert any("no trace ids" in text for text in found.warnings)
    assert any("no times" in text for text in found.warnings)
    assert rows["tid"].tolist() == [0, 1]
    assert np.isnan(rows["tim"]).all()
    assert rows["itr"]["loc"][:, 0, 2].tolist() == [0, 0]


def test_other_columns(tmp_path: Path) -> None:
    text = NM[:-1] + ",note,colour,ok,vld\n1,2,3,4,5,=SUM(A1),2.5,True,False\n"
    found = opened(tmp_path, text + '1,2,3,4,5,"a, b",nan,False,True\n')
    rows = rows_of(found)
    assert rows["colour"].tolist()[0] == 2.5
    assert np.isnan(rows["colour"][1])
    assert (rows["ok"].dtype, rows["ok"].tolist()) == (bool, [True, False])
    assert rows["vld"].tolist() == [False, True]
    assert "note" not in rows.dtype.names
    assert "hold text are left out: note" in found.warnings[0]


def test_empty_cells(tmp_path: Path) -> None:
    rows = rows_of(opened(tmp_path, NM + "1,2,,4,nan\n"))
    assert np.isnan(rows["itr"]["loc"][0, 0]).tolist() == [True, False, True]
    for line in (",2,3,4,5", "1,,3,4,5"):
        with pytest.raises(DataError, match=r"(tid|tim) is empty \(line 3\)"):
            rows_of(opened(tmp_path, NM + "1,2,3,4,5\n" + line + "\n"))


BAD = {
    "1,2,x,4,5": "x is 'x', which is no number",
    "1,2,0x10,4,5": "no number",
    "1,2,3,4": "4 columns, expected 5",
    "1,2,3,4,5,6": "6 columns, expected 5",
    "1.5,2,3,4,5": "tid is 1.5, no whole number",
    "99999999999,2,3,4,5": "no whole number of type int32",
    "1,2,=1+1,4,5": "no number",
    '1,2,"3,4,5': "quote is not closed",
    "1,2,1_0,4,5": "no number",
    "1,2,3\x00,4,5": "zero bytes|no number",
}


@pytest.mark.parametrize("line", BAD)
@pytest.mark.parametrize("block", [4 * 2**20, 40])
def test_bad_line_is_named(
    tmp_path: Path, line: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_table, "_BLOCK_BYTES", block)
    good = "1,2,3,4,5\n" * 30
    text = f"# comment\n{NM}{good}\n{line}\n{good}"
    expected = "line 1\\)" if "\0" in line else "line 34\\)"
    with pytest.raises(DataError, match=f"({BAD[line]}).*{expected}"):
        rows_of(opened(tmp_path, text))
    if "\0" not in line:
        with pytest.warns(UserWarning, match=r"\(line 34\); this row and all after it are lost"):
            rows = rows_of(opened(tmp_path, text, strict=False))
        assert rows["tid"].tolist() == [1] * 30


def test_blank_lines_and_line_ends(tmp_path: Path) -> None:
    rows = rows_of(opened(tmp_path, "\n\n" + NM.strip() + "\r\n\r\n1,2,3,4,5\r\n\r\n2,2,3,4,5\n"))
    assert rows["tid"].tolist() == [1, 2]


def test_last_line_without_an_end_is_refused_or_left_out(tmp_path: Path) -> None:
    text = "tid,tim,x (nm),y (nm),z (nm),seen\n1,2,3,4,55,True\n2,3,4,5,66,False\n"
    assert len(rows_of(opened(tmp_path, text))) == 2
    for cut in (1, 2, 5, 8):  # "False", "Fals", "F", "6" in place of 66
        with pytest.raises(DataError, match=r"no end: the file may be truncated.*strict=False"):
            opened(tmp_path, text[:-cut])
        found = opened(tmp_path, text[:-cut], strict=False)
        assert any("truncated, this line is left out" in text for text in found.warnings)
        rows = rows_of(found)
        assert (rows["tid"].tolist(), rows["seen"].tolist()) == ([1], [True])
    for strict in (True, False):
        with pytest.raises(DataError, match="no end"):  # columns may be lost
            opened(tmp_path, "tid,tim,x (nm),y (nm)", strict=strict)


def test_no_rows(tmp_path: Path) -> None:
    for text in (NM, NM + "\n\n"):
        assert len(rows_of(opened(tmp_path, text))) == 0


@pytest.mark.parametrize("block", [7, 64, 1000, 4 * 2**20])
def test_same_as_pandas(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_table, "_BLOCK_BYTES", block)
    rng = np.random.default_rng(5)
    n = 20 if block == 7 else 500
    table = pd.DataFrame(
        {
            "tid": np.sort(rng.integers(0, 50, n)),
            "tim": np.sort(rng.random(n)) * 1000,
            **{axis: rng.normal(0, 5000, n) for axis in "xyz"},
            "efo": rng.random(n) * 1e5,
            "cfr": np.where(rng.random(n) < 0.2, np.nan, rng.random(n)),
            "eco": rng.integers(0, 1000, n),
            "dcr": rng.random(n),
            "dwell": rng.integers(0, 9, n),
            "fluo": 1,
        }
    )
    path = tmp_path / "t.csv"
    table.to_csv(path)
    (found,) = open_text(path)
    rows = rows_of(found)
    expected = pd.read_csv(path, index_col=0)
    for axis, name in enumerate("xyz"):
        np.testing.assert_array_equal(rows["itr"]["loc"][:, 0, axis], expected[name] / 1e9)
    for name in ("efo", "cfr", "eco", "dcr"):
        np.testing.assert_array_equal(rows["itr"][name][:, 0], expected[name])
    for name in ("tid", "tim", "dwell", "fluo"):
        np.testing.assert_array_equal(rows[name], expected[name])


def test_spooled(tmp_path: Path) -> None:
    found = opened(tmp_path, NM + "1,2,3,4,5\n" * 1000)
    with set_options(cache_folder=tmp_path / "cache"):
        table = spool(found)
        assert table.read(0, 1000).tobytes() == rows_of(found).tobytes()
    assert pickle.loads(pickle.dumps(found.rows)) == found.rows
    assert found.rows.identity() != opened(tmp_path, NM + "1,2,3,4,6\n").rows.identity()


def test_changed_while_open(tmp_path: Path) -> None:
    found = opened(tmp_path, NM + "1,2,3,4,5\n")
    opened(tmp_path, NM + "1,2,3,4,5\n2,2,3,4,5\n")
    with pytest.raises(DataError, match="changed on disk"):
        rows_of(found)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n\n",
        b"# only a comment",
        b"\xff\xfet\x00i\x00d\x00",
        b"hello world\n",
        b"tid,tim\n1,2\n",
        b"x (nm),x [nm],y (nm)\n1,2,3\n",
        b"tid,trace id,x (nm),y (nm)\n1,2,3,4\n",
        b'"' * 5000,
        b"," * 300_000,
        b"x" * 300_000,
        b"a," * 2000 + b"\n1,2",
        b"\x80\x81\x82,\xff\n",
    ],
)
def test_no_table(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(DataError):
        opened(tmp_path, text)


def test_giant_line_is_not_kept(tmp_path: Path) -> None:
    text = NM + "1,2,3,4,5\n" * 50_000 + "1" * 6_000_000
    with pytest.raises(DataError, match=r"longer than 1048576 bytes \(line 50002\)"):
        rows_of(opened(tmp_path, text, strict=False))


def test_truncated_and_flipped(tmp_path: Path) -> None:
    text = f"{PYMINFLUX}\n".encode() + f"{ROW}\n".encode() * 40
    rng = np.random.default_rng(0)
    damaged = [text[: len(text) * part // 100] for part in range(100)]
    for _ in range(200):
        place, bit = int(rng.integers(len(text))), 1 << int(rng.integers(8))
        damaged.append(text[:place] + bytes([text[place] ^ bit]) + text[place + 1 :])
    good = bad = 0
    for content in damaged:
        try:
            found = opened(tmp_path, content)
            rows = rows_of(found)
        except DataError:
            bad += 1
            continue
        good += 1
        # no line is lost without a word
        lines = [line for line in content.split(b"\n") if line.strip(b"\r")]
        assert len(rows) == len(lines) - 1
        assert content.endswith(b"\n")
    assert good > 10
    assert bad > 100
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for content in damaged[::5]:
            try:
                rows_of(opened(tmp_path, content, strict=False))
            except DataError:
                continue


def test_oracle_of_quotes(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["tid", "tim", "x (nm)", "y (nm)", "note"])
        writer.writerow([1, 2.5, 3.5, 4.5, 'say "x", now'])
    (found,) = open_text(path)
    assert rows_of(found)["itr"]["loc"][0, 0].tolist() == [3.5e-9, 4.5e-9, 0]
