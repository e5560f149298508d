"""The commands that look: info and header."""

from __future__ import annotations

import json
from argparse import Namespace

from mfxarray.commands.files import open_data

__all__ = ["header", "info"]


def info(arguments: Namespace) -> None:
    """Print what a file or store holds."""
    from mfxarray.display import describe, safe_text

    if _holds_several(arguments):
        print(safe_text(arguments.file))
        print(_list(arguments.file))
        return
    data = open_data(arguments)
    print(safe_text(arguments.file))
    print(describe(data, times=True))


def header(arguments: Namespace) -> None:
    """Print all that the header of a NanoSIMS file says, as JSON."""
    from mfxarray.mims.header import read_mims_header

    print(json.dumps(read_mims_header(arguments.file).to_dict(), indent=1, ensure_ascii=False))


def _holds_several(arguments: Namespace) -> bool:
    """Tell whether a file holds several data sets and none of them was asked for."""
    from mfxarray.formats.openers import open_measurements
    from mfxarray.formats.sniff import sniff

    if arguments.dataset or sniff(arguments.file) != "msr":
        return False
    return len(open_measurements(arguments.file, strict=not arguments.partial)) > 1


def _list(path: str) -> str:
    """Return a line for each data set of a file."""
    from mfxarray.display import number, safe_text
    from mfxarray.opening.minflux import list_minflux

    table = list_minflux(path, strict=False)
    lines = [f"{len(table)} data sets; name one with --dataset"]
    for label, row in table.iterrows():
        beads = "with beads" if row["beads"] else "no beads"
        facts = [row["model"], f"{number(int(row['records']))} records", beads]
        facts += [str(row[key]) for key in ("acquisition_date",) if row[key] is not None]
        lines.append(f"  {safe_text(label):<14}{safe_text(', '.join(facts))}")
    return "\n".join(lines)
