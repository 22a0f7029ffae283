"""What `run`, `check` and `demo` share: load, simulate, save, print."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli import exits, outputs
from slosim.cli.options import load_scenario, parse_share, parse_size
from slosim.cli.progress import ProgressBar
from slosim.errors import UserError
from slosim.files import require_folder, require_writable, write_whole

if TYPE_CHECKING:
    from slosim.model import Scenario
    from slosim.report import Report

JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the report as JSON; - is stdout.", show_default=False),
]
HtmlFile = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Write the report as one HTML file to send around.", show_default=False
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Save every output here: reports, resolved scenario, series, histograms.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Instead of the scenario's run.seed.", min=0)]
Replications = Annotated[
    int | None, typer.Option("--replications", help="Instead of the scenario's run.replications.", min=1)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print no report and no progress; errors still show.")
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory-limit", metavar="SIZE", help="Stop with a partial report beyond this, e.g. 2GB (exit 3)."
    ),
]


Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="SHARE",
        help=(
            "As many replications as it takes until the 95% interval of every objective and of each flow's"
            " p99 reaches at most this far to either side, e.g. 2%; at most --replications, or 1000."
        ),
    ),
]


Keep = Annotated[
    Path | None,
    typer.Option(
        "--keep",
        metavar="FOLDER",
        help="Keep every finished replication here, and go on from what is there.",
        show_default=False,
    ),
]


def simulate_file(
    scenario_file: Path,
    *,
    json_file: Path | None = None,
    html_file: Path | None = None,
    out: Path | None = None,
    seed: int | None = None,
    replications: int | None = None,
    sets: list[str] | None = None,
    quiet: bool = False,
    memory_limit: str | None = None,
    precision: str | None = None,
    workers: int | None = None,
    backend: str = "threads",
    cluster: str | None = None,
    keep: Path | None = None,
) -> Report:
    """Load, simulate, print and save, with the options of the command line.

    Ctrl-C and the memory limit end in a partial report. What can be refused is refused before time is spent.
    """
    memory_limit_bytes = parse_size(memory_limit)
    precision_ratio = parse_share("--precision", precision)
    scenario = load_scenario(scenario_file, sets)
    require_places(scenario_file, "scenario", json_file, html_file, out)
    announce_compilation(scenario, quiet)
    import slosim

    with ProgressBar(shown=not quiet) as progress:
        report = slosim.run(
            scenario,
            seed=seed,
            replications=replications,
            progress=progress,
            memory_limit_bytes=memory_limit_bytes,
            precision=precision_ratio,
            workers=workers,
            backend=backend,
            cluster=cluster,
            keep=keep,
        )
    source = source_of(scenario_file, sets)
    deliver(report, source, json_file=json_file, html_file=html_file, out=out, quiet=quiet)
    return report


def announce_compilation(scenario: Scenario, quiet: bool) -> None:
    """The first run on a machine compiles the engine, or its mechanisms: say so before the silence."""
    if quiet:
        return
    from slosim.compile.topology import has_mechanisms
    from slosim.engine.cache import KERNEL, MECHANISMS, is_compiled

    if not is_compiled(KERNEL):
        exits.complain("Compiling the engine for this machine, once; this takes about 20 seconds ...")
    elif has_mechanisms(scenario) and not is_compiled(MECHANISMS):
        exits.complain("Compiling the mechanisms of this scenario, once; this takes about 15 seconds ...")


def require_places(
    input_file: Path, what: str, json_file: Path | None, html_file: Path | None, out: Path | None
) -> None:
    """Refuse places that cannot be written to, or that hold the input itself, before the time is spent."""
    files = [path for path in (json_file, html_file) if path is not None and str(path) != "-"]
    saved = [out / name for name in outputs.SAVED] if out is not None else []
    for path in [*files, *saved]:
        if path.exists() and path.samefile(input_file):
            raise UserError(f"cannot write {path}: it is the {what} itself")
    for path in files:
        require_writable(path)
    if out is not None:
        require_folder(out)


def source_of(scenario_file: Path, sets: list[str] | None) -> str | None:
    """The scenario in the command that a report names: its file without folders; None for a pipe."""
    if not scenario_file.is_file():
        return None
    changes = [word for change in sets or () for word in ("--set", change)]
    return shlex.join([scenario_file.name, *changes])


def deliver(
    report: Report,
    source: str | None,
    *,
    json_file: Path | None,
    html_file: Path | None,
    out: Path | None,
    quiet: bool,
) -> None:
    """Print and save a report. It is printed even when it cannot be saved."""
    to_stdout = json_file is not None and str(json_file) == "-"
    if to_stdout:
        outputs.print_out(report.to_json())
    elif not quiet:
        outputs.print_report(report, source)
    if json_file is not None and not to_stdout:
        write_whole(json_file, report.to_json())
    if html_file is not None:
        outputs.write_html(report, html_file, source)
    if out is not None:
        outputs.save_all(report, out, source)


def exit_code(report: Report) -> int:
    """0 for a complete report whatever its verdict, else why it is partial."""
    return exits.code_of(report.stopped)
