"""Vega, Vega-Lite and Vega-Embed as one script, out of the package vl-convert: no network."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from pathlib import Path


def javascript() -> str:
    """The script, which defines `vegaEmbed`. Making it takes two seconds."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", vl_version="6.4")
