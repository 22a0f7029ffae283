"""Exit codes, and the one place where an exception becomes a message and a code."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

import typer

from slosim.errors import UserError

OK = 0
OUR_FAULT = 1
WRONG_INPUT = 2  # the scenario, the command line, or a place to write to; also what typer uses for its own
MEMORY_LIMIT = 3
NOT_MET = 99  # `check`: an objective is missed or undecided; `size`: no configuration will do
INTERRUPTED = 130

DEBUG_VARIABLE = "SLOSIM_DEBUG"


def code_of(stopped: str | None) -> int:
    """The code for why something is partial; 0: it is not."""
    if stopped is None:
        return OK
    return INTERRUPTED if stopped == "interrupted" else MEMORY_LIMIT


@contextmanager
def explained() -> Generator[None]:
    """Turn what goes wrong inside into one message on stderr and an exit code.

    With `slosim --debug` or SLOSIM_DEBUG=1 our own faults show their traceback instead.
    """
    try:
        yield
        sys.stdout.flush()
    except (typer.Exit, typer.Abort):
        raise
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except UserError as error:
        complain(str(error))
        raise typer.Exit(WRONG_INPUT) from None
    except MemoryError:
        complain("out of memory: give a smaller --memory-limit to get a partial report, or simulate less")
        raise typer.Exit(MEMORY_LIMIT) from None
    except BrokenPipeError:
        forget_stdout()
        raise typer.Exit(OK) from None
    except OSError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        complain(f"cannot read or write {error.filename or 'the output'}: {error.strerror or error}")
        forget_stdout()
        raise typer.Exit(WRONG_INPUT) from None
    except Exception as error:
        code = _explain(error)
        raise typer.Exit(code) from None


def replace_closed_streams() -> None:
    """Whoever started us with stdout or stderr closed (`>&-`) reads nothing there; that is no mistake."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  (open until the end)


def complain(message: str) -> None:
    """One message on stderr; nothing if nobody reads it."""
    with suppress(OSError):
        print(message, file=sys.stderr, flush=True)


def forget_stdout() -> None:
    """Nobody reads stdout any more: let what is left to print, now and at exit, go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def _explain(error: Exception) -> int:
    from slosim.errors import EngineError, ScenarioError, WorkerLost

    if isinstance(error, ScenarioError):
        complain(str(error))
        return WRONG_INPUT
    if isinstance(error, WorkerLost):
        complain(str(error))
        return MEMORY_LIMIT
    if type(error).__module__.startswith(("typer.", "click.")):
        raise error  # a mistake in the options, which typer prints with the usage of the command
    if os.environ.get(DEBUG_VARIABLE):
        raise error
    if isinstance(error, ModuleNotFoundError) and not (error.name or "slosim").startswith("slosim"):
        complain(f"{error.name}, which slosim needs, is not installed: install slosim again, with pip")
        return WRONG_INPUT
    if isinstance(error, EngineError):
        complain(str(error))
        return OUR_FAULT
    again = shlex.join(["slosim", "--debug", *sys.argv[1:]])
    what = str(error).splitlines()[0] if str(error) else "no message"
    complain(f"{type(error).__name__}: {what}. This is a bug in slosim, please report it with: {again}")
    return OUR_FAULT
