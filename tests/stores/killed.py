"""A writer in another process that is killed in the middle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys, time
import dask, dask.array as da
from mfxarray.stores.csv_table import write_csv
from mfxarray.stores.parquet import write_parquet
from mfxarray.stores.vtu import write_vtu
from mfxarray.stores.zarr_store import write_zarr
from tests.stores.export_samples import washes
from tests.stores.samples import table

def slow(block, block_info=None):
    if block_info and block_info[0]["chunk-location"][0] == 1:
        print("started", flush=True)
        time.sleep(60)
    return block

data = {data}
data["efo"] = data["efo"].copy(data=da.map_blocks(slow, data["efo"].data, dtype="f8"))
dask.config.set(scheduler="threads", num_workers=2)
{writer}(data, sys.argv[1])
"""


def kill_writer(writer: str, folder: Path, name: str, data: str = "table()") -> None:
    """Run a writer on ``folder/name`` and kill it with SIGKILL while a block is computed."""
    script = _SCRIPT.format(writer=writer, data=data)
    command = [sys.executable, "-c", script, str(folder / name)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.kill()
    assert process.returncode == -9
