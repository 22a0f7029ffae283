"""The commands of `slosim`, and what holds for all of them."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from slosim.cli import exits
from slosim.cli.breaking import break_
from slosim.cli.check import check
from slosim.cli.compare import compare
from slosim.cli.demo import demo
from slosim.cli.explain import explain
from slosim.cli.init import init
from slosim.cli.openslo import openslo
from slosim.cli.report import report
from slosim.cli.run import run
from slosim.cli.schema import schema
from slosim.cli.sensitivity import sensitivity
from slosim.cli.size import size
from slosim.cli.sweep import sweep
from slosim.cli.validate import validate
from slosim.version import __version__


class Explained(TyperGroup):
    """Commands whose exceptions end as a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        exits.replace_closed_streams()
        with exits.explained():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Explained,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Will this event-driven system meet its promises, what breaks it first, and how big must it be?",
    epilog="Start with: slosim demo · then: slosim init my.yaml · slosim run my.yaml",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"slosim {__version__}")
        raise typer.Exit


@app.callback()
def options_of_all(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show tracebacks (also: {exits.DEBUG_VARIABLE}=1).")
    ] = False,
) -> None:
    if debug:
        os.environ[exits.DEBUG_VARIABLE] = "1"


COMMANDS = (
    run, check, report, compare, sweep, sensitivity, size, break_, validate, explain, openslo, schema, init,
    demo,
)  # fmt: skip
for command in COMMANDS:
    app.command(command.__name__.rstrip("_"))(command)
