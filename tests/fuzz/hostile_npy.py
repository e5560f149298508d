"""Files of NumPy with pickles, code and lies in their headers."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.traps import CANARY, V2, Made, Maker, npy, npy_header, pickled

__all__ = ["NPY"]

_SHAPES = (
    "(-5,)", "(26000000000000,)", "(10000000000000000000000,)", "(True,)", "(4, 4)", "()",
    "(4.0,)", "((4,),)", "('4',)", f"({'9' * 5000},)",
)  # fmt: skip
_OVERLAPPING = "{'names': ['tid', 'tim'], 'formats': ['<i4', '<f8'], 'offsets': [0, 2]}"


def _npy_file(header: str, body: bytes = bytes(4000), version: bytes = b"\x01\x00") -> Maker:
    def make(place: Path) -> Made:
        (place / "run.npy").write_bytes(npy(header, body, version))
        return place / "run.npy", {}

    return make


def _npy_pickle(place: Path) -> Made:
    (place / "run.npy").write_bytes(npy(npy_header("'|O'", "(4,)"), pickled(place)))
    return place / "run.npy", {}


def _npy_pickle_field(place: Path) -> Made:
    descr = str([*V2, ("extra", "|O")])
    (place / "run.npy").write_bytes(npy(npy_header(descr, "(4,)"), pickled(place) + bytes(4000)))
    return place / "run.npy", {}


def _npy_code(place: Path) -> Made:
    code = f"__import__('os').close(__import__('os').open({str(place / CANARY)!r}, 65))"
    header = f"{{'descr': {V2!r}, 'fortran_order': False, 'shape': ({code} or 4,), }}"
    (place / "run.npy").write_bytes(npy(header, bytes(4000)))
    return place / "run.npy", {}


NPY: dict[str, Maker] = {
    "npy pickle": _npy_pickle,
    "npy pickle in a field": _npy_pickle_field,
    "npy code in the header": _npy_code,
    **{f"npy shape {shape}": _npy_file(npy_header(str(V2), shape)) for shape in _SHAPES},
    "npy huge item": _npy_file(npy_header("[('tid', '|V1099511627776')]", "(1,)")),
    "npy huge field": _npy_file(npy_header("[('tid', '<i4', (1099511627776,))]", "(1,)")),
    "npy many dims": _npy_file(npy_header(f"[('tid', '<i4', {(1,) * 65})]", "(1,)")),
    "npy deep header": _npy_file("(" * 5000 + ")" * 5000),
    "npy deep lists": _npy_file("[" * 900 + "]" * 900),
    "npy many fields": _npy_file(npy_header(str([(f"f{i}", "<i4") for i in range(3000)]), "(1,)")),
    "npy duplicate fields": _npy_file(npy_header(str([*V2, ("tid", "<u4")]), "(4,)")),
    "npy Fortran order of two": _npy_file(npy_header(str(V2), "(2, 2)", "True")),
    "npy overlapping fields": _npy_file(npy_header(_OVERLAPPING, "(4,)")),
    "npy version 9": _npy_file(npy_header(str(V2), "(4,)"), version=b"\x09\x00"),
}
