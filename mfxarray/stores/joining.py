"""Tasks of a graph made into one where all but the last only feed the others."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

# the only module that knows how dask joins tasks
from dask._task_spec import Alias, DataNode, Task, TaskRef, convert_legacy_graph, cull

__all__ = ["hold_back", "join_tasks"]

Nodes: TypeAlias = dict[Any, Any]

# a table has some thirty columns; more sources than that are a reduction over many files
_MOST_SOURCES = 64
_MOST_TASKS = 1000


def join_tasks(graph: Mapping[Any, Any], wanted: Sequence[Any]) -> Nodes:
    """Return a graph with the same results for the wanted keys, of as few tasks as is sensible.

    Parameters
    ----------
    graph
        A plain graph.
    wanted
        Keys whose results are asked for.

    Notes
    -----
    A task takes in all tasks that feed nothing else, so reading a block, taking its fields, and all
    that is made of them before blocks meet is one task. If this needs a result of another pass, it
    cannot begin, and fill memory, before that is there; with thirty fields, it is also some hundred
    tasks fewer a block, which schedulers keep in memory, 5 kB each.

    A block that is left because several tasks need it takes in those that need nothing else, so
    that it is gone when they are done, and does not wait for whichever of them comes last.

    No task takes in two blocks of one array: reductions stay as parallel as they are, and hold as
    little as they did. What several tasks need is made once.
    """
    nodes: Nodes = cull(convert_legacy_graph(graph), list(wanted))
    users = Counter(need for node in nodes.values() for need in node.dependencies)
    found: Nodes = {}
    waiting, seen = deque(wanted), set(wanted)
    while waiting:
        key = waiting.popleft()
        parts = _feeding(key, nodes, users)
        found[key] = node = parts[0] if len(parts) == 1 else Task.fuse(*parts)
        new = [need for need in node.dependencies if need in nodes and need not in seen]
        waiting.extend(new)
        seen.update(new)
    return _with_users(found, set(wanted))


def _feeding(key: Hashable, nodes: Nodes, users: Counter[Any]) -> list[Any]:
    """Return a task and those that feed it alone; only itself if these are too many."""
    inside = {key: nodes[key]}
    waiting = deque(inside.values())
    fed: Counter[Any] = Counter()
    arrays = {_array_of(key)}
    sources = 0
    while waiting:
        needs = waiting.popleft().dependencies
        fed.update(needs)
        several = Counter(_array_of(need) for need in needs)
        for need in needs:
            array = _array_of(need)
            if several[array] > 1 or fed[need] < users[need] or not _can_move(need, nodes):
                continue
            sources += _is_source(need, nodes)
            if array in arrays or sources > _MOST_SOURCES or len(inside) == _MOST_TASKS:
                return [nodes[key]]
            inside[need] = nodes[need]
            arrays.add(array)
            waiting.append(nodes[need])
    return list(inside.values())


def _can_move(key: Hashable, nodes: Nodes) -> bool:
    """Tell whether the task may become a part of another; results on a cluster may not."""
    node = nodes.get(key)
    return isinstance(node, Task | DataNode) or (isinstance(node, Alias) and node.target in nodes)


def _is_source(key: Hashable, nodes: Nodes) -> bool:
    """Tell whether a task reads or makes data: it needs no result of another."""
    node = nodes[key]
    return isinstance(node, Task) and all(
        isinstance(nodes.get(need), DataNode) for need in node.dependencies
    )


def _array_of(key: Any) -> Any:
    return key[0] if isinstance(key, tuple) else key


def _with_users(nodes: Nodes, wanted: set[Any]) -> Nodes:
    """Return a graph in which blocks that several tasks need are one with these tasks."""
    users: dict[Any, list[Any]] = {key: [] for key in nodes}
    for key, node in nodes.items():
        for need in node.dependencies:
            if need in users:
                users[need].append(key)
    taken: set[Any] = set()
    found = dict(nodes)
    for key in nodes:
        if key in taken or len(users[key]) < 2 or not _is_source(key, nodes):
            continue
        inside = _made_from(key, nodes, users, taken)
        taken |= inside
        if len(inside) > 1:
            seen = [one for one in inside if one in wanted or not inside.issuperset(users[one])]
            for one in inside:
                del found[one]
            found |= _as_one(key, [nodes[one] for one in inside], seen)
    return found


def _made_from(
    source: Any, nodes: Nodes, users: Mapping[Any, list[Any]], taken: set[Any]
) -> set[Any]:
    """Return a block and the tasks that need it and other sources only, one of each array."""
    inside, arrays = {source}, {_array_of(source)}
    waiting = deque(users[source])
    while waiting and len(inside) < _MOST_TASKS:
        key = waiting.popleft()
        if key in inside or key in taken or not isinstance(nodes[key], Task | Alias):
            continue
        needed = nodes[key].dependencies - inside
        new = {key, *(need for need in needed if not isinstance(nodes.get(need), DataNode))}
        names = {_array_of(one) for one in new}
        others = new - {key}
        if taken & others or any(one not in nodes or not _is_source(one, nodes) for one in others):
            continue
        if names & arrays or len(names) < len(new):
            continue
        inside |= new
        arrays |= names
        waiting.extend(user for one in new for user in users[one])
    return inside


def _as_one(key: Any, parts: list[Any], seen: list[Any]) -> Nodes:
    """Return one task for several, and the results of those that are seen from outside."""
    if len(seen) == 1:
        return {seen[0]: Task.fuse(*parts)}
    name, *place = key if isinstance(key, tuple) else (key,)
    own = (f"{name}-joined", *place)
    together = Task(own, _together, *(TaskRef(one) for one in seen))
    takes = {one: Task(one, itemgetter(i), TaskRef(own)) for i, one in enumerate(seen)}
    return {own: Task.fuse(*parts, together), **takes}


def _together(*results: Any) -> tuple[Any, ...]:
    return results


def hold_back(graph: Mapping[Any, Any], wanted: Sequence[Any], gates: Sequence[Any]) -> Nodes:
    """Return a graph in which tasks wait until those that are wanted before are done.

    Parameters
    ----------
    graph
        Result of `join_tasks` for the wanted keys.
    wanted
        Keys, in the order in which they are to be done.
    gates
        For every wanted key the one that it, and what it is the first to need, waits for; None for
        nothing. A gate must not need what waits for it.
    """
    found = dict(graph)
    seen: set[Any] = set()
    for key, gate in zip(wanted, gates, strict=True):
        waiting = [key]
        while waiting:
            one = waiting.pop()
            if one in seen or one not in graph:
                continue
            seen.add(one)
            waiting.extend(graph[one].dependencies)
            if gate is not None and isinstance(graph[one], Task):
                found[one] = _after(gate, graph[one])
    return found


def _after(gate: Any, task: Task) -> Task:
    return Task(task.key, _run, TaskRef(gate), task.func, *task.args, **task.kwargs)


def _run(gate: object, function: Any, *inputs: Any, **options: Any) -> Any:
    return function(*inputs, **options)
