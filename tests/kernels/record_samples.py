"""Records that decide about localizations, by hand and by chance, and the rule in plain Python."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from mfxarray.kernels.record_numbers import RecordKeys


def keys_of(n, **columns) -> RecordKeys:
    kinds = {"keep": bool, "vld": bool, "tid": "i8", "thi": "u1", "sqi": "i8", "itr": "i8"}
    kinds |= {"fnl": bool}
    default = {"keep": True, "vld": True}
    made = {}
    for name, kind in kinds.items():
        value = columns.get(name, default.get(name, 0))
        made[name] = np.ascontiguousarray(np.broadcast_to(np.asarray(value, kind), n))
    return RecordKeys(**made)


def plain(keys: RecordKeys) -> list[int]:
    found, number, last = [], -1, None
    for row in range(len(keys.tid)):
        if not keys.keep[row]:
            found.append(-1)
            continue
        here = [int(column[row]) for column in (keys.tid, keys.sqi, keys.itr, keys.fnl)]
        if last is None or here[:2] != last[:2] or here[2] <= last[2] or last[3]:
            number += 1
        found.append(number)
        last = here
    return found


@st.composite
def some_keys(draw):
    n = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return keys_of(
        n,
        keep=rng.random(n) < 0.8,
        vld=rng.random(n) < 0.8,
        tid=np.sort(rng.integers(0, 5, n)),
        thi=rng.integers(0, draw(st.integers(1, 3)), n),
        sqi=rng.random(n) < 0.1,
        itr=rng.integers(0, 5, n),
        fnl=rng.random(n) < 0.2,
    )
