"""Write the generated documents anew: what the code says about itself, in docs/. Run by `make docs`."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import slosim
from slosim.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
PICTURE_WIDTH = 100
# Without the frame of rich and its fonts from elsewhere: the picture is complete by itself.
PICTURE = """<svg viewBox="0 0 {width} {terminal_height}" xmlns="http://www.w3.org/2000/svg"><style>
.{unique_id}-matrix {{ font-family: Menlo, "DejaVu Sans Mono", monospace; font-size: {char_height}px;
  line-height: {line_height}px; font-variant-east-asian: full-width; white-space: pre; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<rect width="{width}" height="{terminal_height}" rx="8" fill="#1c1e21"/>
<g transform="translate(12, 12)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def scenario_schema() -> str:
    """The JSON Schema of the scenario language."""
    from slosim.cli.schema import text_of_schema

    return text_of_schema()


def scenario_reference() -> str:
    """Every field of the scenario language."""
    from slosim.model.reference import reference

    return reference()


def report_schema() -> str:
    """The JSON Schema of the report."""
    from slosim.report.schema import text_of_schema

    return text_of_schema()


def report_reference() -> str:
    """Every number of the report."""
    from slosim.report.reference import reference

    return reference()


def picture() -> str:
    """The report of the orders example as it looks in a terminal."""
    from rich.console import Console
    from rich.text import Text

    scenario = ROOT / "examples" / "orders.yaml"
    report = slosim.run(slosim.load(scenario))
    console = Console(record=True, width=PICTURE_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(report.to_text(width=PICTURE_WIDTH, colour=True, source=scenario.name)))
    return console.export_svg(title="", code_format=PICTURE, unique_id="report")


DOCUMENTS: dict[str, Callable[[], str]] = {
    "docs/scenario.schema.json": scenario_schema,
    "docs/scenario.md": scenario_reference,
    "docs/report.schema.json": report_schema,
    "docs/report.md": report_reference,
    "docs/report.svg": picture,
}


def main() -> None:
    for name, text_of in DOCUMENTS.items():
        write_whole(ROOT / name, text_of())


if __name__ == "__main__":
    main()
