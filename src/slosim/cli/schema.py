"""`slosim schema`: the language for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slosim.cli.terminal import print_or_write


def schema(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it here; - is stdout, as without.")
    ] = None,
) -> None:
    """Print the JSON Schema of the scenario language, for completion and checks in an editor.

    Name it in the first line of a scenario: # yaml-language-server: $schema=scenario.schema.json
    """
    print_or_write(text_of_schema(), out)


def text_of_schema() -> str:
    """The schema as it is written to a file."""
    import json

    from slosim.model.schema import schema as schema_of_scenarios

    return json.dumps(schema_of_scenarios(), indent=2, ensure_ascii=False) + "\n"
