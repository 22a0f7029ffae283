"""What the commands that simulate many runs share: their options, their file, and how they end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli import exits
from slosim.cli.options import Machines, Quiet
from slosim.cli.outputs import Outputs
from slosim.cli.progress import ProgressBar
from slosim.cli.simulate import announce_compilation
from slosim.cli.terminal import is_stdout, print_out, print_text, require_one_stdout
from slosim.errors import UserError
from slosim.files import require_other, require_writable, write_whole

if TYPE_CHECKING:
    from slosim.experiments.result import Result
    from slosim.experiments.study import Study
    from slosim.model import Scenario


@dataclass(frozen=True)
class Results:
    """Where the result of an experiment goes."""

    json: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help=(
                "Keep the result and all finished runs here, and go on from what is there; - prints the"
                " result as JSON and keeps nothing. Default: SCENARIO.COMMAND.json in this folder."
            ),
            show_default=False,
        ),
    ] = None
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the result as one HTML file to send around; - is stdout.",
            show_default=False,
        ),
    ] = None
    quiet: Quiet = False

    def file(self, kind: str, *scenario_files: Path) -> Path | None:
        """Where an experiment is kept; None: nowhere.

        Raises:
            UserError: it, or the page, has no place to be written to, or that of something else.
        """
        path = self._kept(kind, scenario_files)
        require_one_stdout(self.json, self.html)
        if self.html is not None and not is_stdout(self.html):
            require_writable(self.html)
            require_other(self.html, "the scenario itself", *scenario_files)
            if path is not None:
                require_other(self.html, "the file of --json", path)
        return path

    def _kept(self, kind: str, scenario_files: Sequence[Path]) -> Path | None:
        if self.json is None:
            stems = "-".join(dict.fromkeys(path.stem for path in scenario_files if path.is_file()))
            return Path(f"{stems or 'scenario'}.{kind}.json")
        if is_stdout(self.json):
            return None
        require_other(self.json, "the scenario itself", *scenario_files)
        return self.json

    def show(self, result: Result) -> None:
        """Print what goes to stdout: the JSON or the page where that is asked for, else the text."""
        if is_stdout(self.json):
            print_out(result.to_json())
        elif is_stdout(self.html):
            print_out(result.to_html())
        elif not self.quiet:
            print_text(result.to_text)

    def save_page(self, result: Result) -> None:
        """Write the page, if a file is named for it."""
        if self.html is None or is_stdout(self.html):
            return
        write_whole(self.html, result.to_html())
        if not self.quiet:
            exits.complain(f"saved {self.html}")


Option = str | Sequence[str] | bool | None


def command_of(kind: str, source: str | None, replications: int | None, **options: Option) -> str | None:
    """The command that makes a result again; None: its scenario came through a pipe.

    source   the scenario in a command line
    options  by name; of several values each is an option of its own, of True the name alone
    """
    if source is None:
        return None
    words: list[str] = []
    asked = {**options, "replications": None if replications is None else str(replications)}
    for name, value in asked.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value:
            values = [value] if isinstance(value, str) else value
            words += [word for one in values for word in (option, one)]
    return " ".join(filter(None, ("slosim", kind, source, shlex.join(words))))


def replications_of(scenario: Scenario, replications: int | None) -> int:
    """Of each variant: those that were asked for, else the scenario's, if they give an interval, else 10."""
    from slosim.experiments.study import replications_of

    return replications_of(scenario, replications)


def run_experiment(
    kind: str,
    run: Callable[[Study], Result],
    scenarios: list[Scenario],
    path: Path | None,
    *,
    results: Results,
    machines: Machines,
    command: str | None,
) -> Result:
    """Run an experiment, keep it in its file, and print it. Ctrl-C ends in what is finished.

    path     the file as of `Results.file`; None: the result is printed as JSON instead
    command  that makes the result again, as of `command_of`

    Raises:
        typer.Exit: it was stopped before there was anything to show.
    """
    from slosim.experiments.result import Result
    from slosim.experiments.store import Store
    from slosim.experiments.study import Stopped, Study
    from slosim.workers import open_workers

    memory_limit_bytes, quiet = machines.memory_limit_bytes, results.quiet
    store = Store(path, kind)
    try:
        for scenario in scenarios:
            announce_compilation(scenario, quiet)
        if store.found and not quiet:
            exits.complain(
                f"{path} has {store.found} finished runs; what is needed of them is not simulated again"
            )
        with (
            open_workers(machines.backend, machines.workers, machines.cluster, memory_limit_bytes) as pool,
            ProgressBar(not quiet, store.close) as bar,
        ):
            try:
                result = run(Study(pool, store, bar))
            except Stopped as stopped:
                kept = f"; what is finished is kept beside {path}" if path is not None else ""
                exits.complain(f"stopped ({stopped.reason}) before there was anything to show{kept}")
                raise typer.Exit(exits.code_of(stopped.reason)) from None
        if command is not None:
            result = Result(result.data | {"command": command})
        results.show(result)
        store.finish(result.data)
        if path is not None and not quiet:
            exits.complain(f"saved {path}")
        results.save_page(result)
    finally:
        store.close()
    return result


def exit_code(result: Result) -> int:
    """0 for a complete result, else why it is partial."""
    return exits.OK if result.complete else exits.code_of(result.stopped)


def show_again(result: Result, asked: Outputs, path: Path) -> None:
    """A saved result, as text, as JSON without its runs, or as a page.

    Raises:
        UserError: something else is asked for, which only reports have.
    """
    for field in fields(asked):
        if field.name not in ("json", "html", "quiet") and getattr(asked, field.name):
            option = f"--{field.name.replace('_', '-')}"
            raise UserError(f"{option}: {path} is an experiment, of which there are --json and --html")
    Results(asked.json, asked.html, asked.quiet).show(result)
    if asked.json is not None and not is_stdout(asked.json):
        write_whole(asked.json, result.to_json())
    Results(html=asked.html, quiet=True).save_page(result)
