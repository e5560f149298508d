"""Where to cut rows and frames into blocks. Plain integers: nothing here touches data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from mfxarray.errors import ChunkError

__all__ = ["common_rows", "cut_frames", "cut_rows", "group_small"]


def cut_rows(
    n_rows: int, row_bytes: int, chunk_bytes: int, bound_near: Callable[[int], int]
) -> tuple[int, ...]:
    """Return the sizes of row chunks whose cuts lie at trace bounds where one is near.

    Parameters
    ----------
    n_rows
        Rows of the file.
    row_bytes
        Bytes of a row.
    chunk_bytes
        Wished bytes of a chunk.
    bound_near
        Gives the first trace bound at or after a row, or the row itself where none is near.
    """
    wished = max(chunk_bytes // row_bytes, 1)
    cuts = [0]
    while n_rows - cuts[-1] > wished + wished // 4:
        # a last chunk up to a quarter too large is better than a sliver
        cuts.append(min(max(bound_near(cuts[-1] + wished), cuts[-1] + 1), n_rows))
    cuts.append(n_rows)
    return tuple(stop - start for start, stop in pairwise(cuts) if stop > start) or (0,)


def cut_frames(n_frames: int, frame_bytes: int, chunk_bytes: int) -> tuple[int, ...]:
    """Return the sizes of chunks of whole frames of about ``chunk_bytes``."""
    each = max(chunk_bytes // max(frame_bytes, 1), 1)
    full, rest = divmod(n_frames, each)
    return (each,) * full + ((rest,) if rest or not full else ())


def group_small(sizes: Sequence[int], least: int) -> list[tuple[int, int]]:
    """Return ranges of neighbouring blocks, each of at least ``least`` rows where possible.

    Examples
    --------
    >>> group_small([3, 0, 9, 1, 1], 4)
    [(0, 3), (3, 5)]
    """
    groups: list[tuple[int, int]] = []
    start, rows = 0, 0
    for index, size in enumerate(sizes):
        rows += size
        if rows >= least and rows:
            groups.append((start, index + 1))
            start, rows = index + 1, 0
    if start < len(sizes):
        groups.append((start, len(sizes)))
    return groups


def common_rows(chunks: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the one row chunking that arrays share.

    Raises
    ------
    ChunkError
        If two arrays are cut differently.
    """
    first = tuple(chunks[0])
    for other in chunks[1:]:
        if tuple(other) != first:
            raise ChunkError(
                f"arrays are cut differently along their rows: {first[:4]}... and "
                f"{tuple(other)[:4]}...; use ds.unify_chunks() first"
            )
    return first
