"""The command line ``mfxarray``: reads arguments, hands over to `mfxarray.commands`.

Nothing heavy is imported before a command runs, so that ``mfxarray --help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module

from mfxarray._version import __version__
from mfxarray.arguments.analyses import add_analyses
from mfxarray.arguments.files import add_files
from mfxarray.arguments.ions import add_ions
from mfxarray.arguments.localizations import add_localizations
from mfxarray.arguments.samples import add_samples
from mfxarray.display import safe_text
from mfxarray.errors import MfxError

__all__ = ["main", "make_parser"]

_INTERRUPTED = 130
_MESSAGE = 2000


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for an error, 2 for usage, 130 for Ctrl-C."""
    arguments = make_parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            _handler(arguments.handler)(arguments)
            sys.stdout.flush()
    except (MfxError, ValueError, FileNotFoundError, PermissionError) as error:
        # the Python option of the same meaning is named in errors of the library
        text = str(error).replace("overwrite=True", "--overwrite")
        print(f"mfxarray: error: {safe_text(text, _MESSAGE)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mfxarray: stopped", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # the reader of a pipe (head) has gone; keep Python from complaining about it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="mfxarray",
        description="MINFLUX localizations and NanoSIMS ion images, larger than memory.",
        epilog="mfxarray COMMAND --help tells more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"mfxarray {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_files(commands)
    add_localizations(commands)
    add_analyses(commands)
    add_ions(commands)
    add_samples(commands)
    return parser


def _handler(name: str) -> Callable[[argparse.Namespace], None]:
    module, function = name.split(":")
    found: Callable[[argparse.Namespace], None] = getattr(
        import_module(f"mfxarray.commands.{module}"), function
    )
    return found


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"mfxarray: warning: {safe_text(message, _MESSAGE)}", file=sys.stderr)
