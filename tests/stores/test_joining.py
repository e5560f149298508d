"""Tests of joining tasks: same results, fewer tasks, nothing read twice or too early."""

from __future__ import annotations

from operator import add
from typing import Any

import dask.array as da
import numpy as np
import pytest
from dask._task_spec import Alias
from dask.local import get_sync

from mfxarray.chunked.blocks import KEPT, graph_array, reread
from mfxarray.stores.joining import join_tasks


def numbers(values: Any) -> int:
    return sum(values) + 1


def random_graph(seed: int) -> dict[Any, Any]:
    """Return tasks of all forms that need earlier ones: sums, lists, aliases, plain data."""
    rng = np.random.default_rng(seed)
    graph: dict[Any, Any] = {("x", 0): 1, "word": (add, 2, 3)}
    for index in range(1, 60):
        known = list(graph)
        first, second, third = (known[place] for place in rng.integers(0, len(known), 3))
        forms = [(add, first, second), (numbers, [first, second, third]), first, index]
        graph[(f"t{index % 5}", index)] = forms[rng.choice(4, p=[0.4, 0.4, 0.1, 0.1])]
    return graph


@pytest.mark.parametrize("seed", range(40))
def test_results_stay_the_same(seed: int) -> None:
    graph = random_graph(seed)
    wanted = list(graph)[-1:-20:-6]
    found = join_tasks(graph, wanted)
    assert set(wanted) <= set(found)
    assert list(get_sync(found, wanted)) == list(get_sync(graph, wanted))


def test_a_chain_is_one_task() -> None:
    graph = {("a", 0): (add, 1, 2), ("b", 0): ("a", 0), ("c", 0): (add, ("b", 0), 4)}
    found = join_tasks(graph, [("c", 0)])
    assert list(found) == [("c", 0)]
    assert get_sync(found, [("c", 0)]) == (7,)


def test_what_is_not_asked_for_is_left_out() -> None:
    assert list(join_tasks({"a": (add, 1, 2), "b": (add, 3, 4)}, ["b"])) == ["b"]


def test_fields_of_one_read_and_what_is_made_of_them_are_one_task() -> None:
    graph: dict[Any, Any] = {("read", 0): (range, 30)}
    graph |= {(f"field{n}", 0): (sum, ("read", 0)) for n in range(30)}
    graph["all"] = (numbers, [(f"field{n}", 0) for n in range(30)])
    assert list(join_tasks(graph, ["all"])) == ["all"]


def test_a_reduction_reads_its_blocks_in_tasks_of_their_own() -> None:
    array = da.ones(40, chunks=10).map_blocks(np.sqrt)
    graph = dict(array.dask) | {"sum": (numbers, [(array.name, n) for n in range(4)])}
    found = join_tasks(graph, ["sum"])
    assert len(found) == 5  # each block is made by one task
    assert set(found) == {"sum", *((array.name, n) for n in range(4))}


def test_too_many_sources_or_tasks_stay_apart() -> None:
    many: dict[Any, Any] = {(f"file{n}", 0): (add, n, n) for n in range(65)}
    assert len(join_tasks(many | {"all": (numbers, list(many))}, ["all"])) == 66


def test_long_chains_are_cut() -> None:
    long: dict[Any, Any] = {f"n{n}": (add, f"n{n - 1}", 1) for n in range(1, 1500)}
    found = join_tasks(long | {"n0": (add, 0, 0)}, ["n1499"])
    assert 2 <= len(found) < 1499
    assert get_sync(found, ["n1499"]) == (1499,)


def test_a_reduction_is_seen_before_its_blocks_are_reached() -> None:
    """However long the way to the sources is, they are not all read by one task."""
    graph: dict[Any, Any] = {}
    for block in range(200):
        graph[("read", block)] = (add, block, 0)
        for step in range(10):
            graph[(f"step{step}", block)] = (add, (f"step{step - 1}" if step else "read", block), 0)
    parts = [("step9", block) for block in range(200)]
    graph |= {("sum", 0): (numbers, parts), "last": (add, ("sum", 0), 1)}
    assert set(join_tasks(graph, ["last"])) == {"last", *parts}


def test_what_is_made_of_one_block_for_several_is_made_in_one_task() -> None:
    graph: dict[Any, Any] = {("read", 0): (range, 9), ("far", 0): (sum, [1, 2])}
    graph |= {(f"field{n}", 0): (sum, ("read", 0)) for n in range(3)}
    for n in range(2):
        graph[("part", n)] = (numbers, [(f"field{m}", 0) for m in range(3)])
    graph["first"] = (add, ("part", 0), ("far", 0))
    graph["second"] = (add, ("part", 1), ("far", 0))
    found = join_tasks(graph, ["first", "second"])
    assert get_sync(found, ["first", "second"]) == get_sync(graph, ["first", "second"])
    # what is left of the block when all is done are its fields, not the block itself
    assert ("read", 0) not in found
    assert ("read-joined", 0) in found


def test_what_two_need_is_made_once() -> None:
    calls: list[int] = []
    graph = {
        "read": (lambda: calls.append(1) or 5,),
        "left": (add, "read", 1),
        "right": (add, "read", 2),
    }
    found = join_tasks(graph, ["left", "right"])
    assert get_sync(found, ["left", "right"]) == (6, 7)
    assert calls == [1]


def test_a_result_on_a_cluster_stays_there() -> None:
    """Keys that are not in the graph are known to a scheduler; so are those they stand for."""
    graph: dict[Any, Any] = {"here": Alias("here", "far"), "sum": (add, "here", "here")}
    found = join_tasks(graph, ["sum"])
    assert set(found) == {"sum", "here"}
    assert found["sum"].dependencies == {"here"}


def test_no_block_of_a_second_pass_is_read_before_the_first_has_ended() -> None:
    seen: list[str] = []

    def read(block: int) -> np.ndarray:
        seen.append("read")
        return np.full(5, float(block))

    def total(blocks: list[np.ndarray]) -> float:
        seen.append("total")
        return float(np.sum(blocks))

    reads = {("source", n): (read, n) for n in range(6)}
    source = graph_array("source", reads, (), ((5,) * 6,), float)
    first = reread(source, "first")
    tasks = {(f"{KEPT}t", 0): (total, [(first.name, n) for n in range(6)])}
    kept = graph_array(f"{KEPT}t", tasks, (first,), ((1,),), float)
    graph = {**dict(source.dask), **dict(kept.dask)}
    wanted = []
    for n in range(6):
        graph[("sum", n)] = (add, (source.name, n), (kept.name, 0))
        graph[("both", n)] = (numbers, [("sum", n), (source.name, n)])
        wanted.append(("both", n))
    assert seen == []
    get_sync(join_tasks(graph, wanted), wanted)
    assert seen == ["read"] * 6 + ["total"] + ["read"] * 6
