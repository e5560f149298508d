"""Warming the kernels."""

from __future__ import annotations

import subprocess
import sys

from mfxarray.jobs.warm import warm_kernels

_LIST = """
import importlib, pkgutil, sys, numba
import mfxarray.kernels, mfxarray.chunked
from mfxarray.jobs.warm import warm_kernels
warm_kernels()
for package in (mfxarray.kernels, mfxarray.chunked):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)
kernels = {
    (name, key): value
    for name, module in sorted(sys.modules.items()) if name.startswith("mfxarray.")
    for key, value in vars(module).items()
    if isinstance(value, numba.core.dispatcher.Dispatcher)
}
# a function called by a compiled one only is part of that one's cached code
inner = {name for value in kernels.values() for name in value.py_func.__code__.co_names}
print(len(kernels))
for (name, key), value in kernels.items():
    if key not in inner and not value.signatures:
        print(name, key)
"""


def test_that_it_runs_twice():
    warm_kernels()
    warm_kernels()


def test_that_no_compiled_function_is_forgotten():
    # in a fresh process: other tests compile kernels too
    done = subprocess.run(
        [sys.executable, "-c", _LIST], capture_output=True, text=True, timeout=120, check=True
    )
    number, *forgotten = done.stdout.split("\n")
    assert int(number) > 5
    assert forgotten == [""]


def test_that_medians_are_ready_for_the_counts_of_files():
    warm_kernels()
    from mfxarray.kernels import medians

    kinds = {str(signature[0].dtype) for signature in medians._candidates_3x3.signatures}
    assert {"uint16", "uint32"} <= kinds
    kinds = {str(signature[0].dtype) for signature in medians._replace.signatures}
    assert {"uint16", "uint32"} <= kinds
