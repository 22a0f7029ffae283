"""The command line: one file per command, which parses, calls and prints.

Importing this package costs almost nothing: a command imports what it needs when it runs, so `--help`,
`validate` and error messages never wait for numba or scipy.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process and exit with the code it promises (see `exits.py`)."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal without the signs of a drawing still gets the numbers
    try:
        from slosim.cli.app import app

        app(prog_name="slosim")
    except KeyboardInterrupt:  # while starting or ending; during a command `exits.explained` sees it first
        sys.exit(130)
