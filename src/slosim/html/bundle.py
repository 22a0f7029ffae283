"""Vega, Vega-Lite and Vega-Embed as one script, out of the package vl-convert: no network."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.metadata import version

from slosim.errors import UserError
from slosim.files import cache_root, write_whole

VEGA_LITE = "6.4"


def javascript() -> str:
    """The script, which defines `vegaEmbed`. Making it takes two seconds, so it is kept per user."""
    path = None
    with suppress(OSError):
        path = cache_root() / f"vega-{VEGA_LITE}-{version('vl-convert-python')}.js"
        return path.read_text(encoding="utf-8")
    import vl_convert

    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", vl_version=VEGA_LITE)
    if path is not None:
        with suppress(OSError, UserError):  # then it is made again next time
            os.makedirs(path.parent, exist_ok=True)
            write_whole(path, script)
    return script
