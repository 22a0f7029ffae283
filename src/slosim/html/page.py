"""Any page: a template filled in, with its charts, in one file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from slosim.html import charts
from slosim.html.bundle import javascript
from slosim.html.charts import Chart


def page_of(template: str, shown: Mapping[str, Any], version: str, its_charts: Sequence[Chart]) -> str:
    """The whole file.

    template    its name among the templates; it extends `page.html`
    shown       what it shows, by the names that it uses
    version     of slosim, that made the numbers
    its_charts  every chart of the page
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(asset),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = asset("style.css"), javascript() + "\n" + asset("page.js")
    return environment.get_template(template).render(
        **shown,
        version=version,
        style=_raw(style),
        script=_raw(script),
        charts_json=_raw(charts.as_json(its_charts)),
        policy=policy(style, script),
    )


def asset(name: str) -> str:
    """The text of a template, the style sheet or the script."""
    return files("slosim.html").joinpath("templates", name).read_text(encoding="utf-8")


def policy(style: str, script: str) -> str:
    """The content security policy: this one style, this one script, nothing from anywhere, no eval."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _raw(text: str) -> Any:
    """Text of ours that is no text of the page: not escaped."""
    from markupsafe import Markup

    return Markup(text)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
