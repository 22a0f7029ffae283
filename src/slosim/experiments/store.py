"""The file of an experiment: its result, and every finished run, so that nothing is ever simulated twice.

While an experiment goes on, finished runs are appended to a journal beside the file. At the end the file is
written as a whole and the journal is removed. Whatever interrupts in between, the next start finds the runs
in one or the other. A run is found by the digest of all that decides it and its number, so a changed
scenario meets no stale run.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from slosim.errors import UserError
from slosim.experiments.kinds import format_of
from slosim.experiments.summary import Summary, from_plain, to_plain
from slosim.files import json_text, require_writable, write_whole

NOT_OURS = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
"""What reading something else as an experiment's file raises."""


class Store:
    """Runs of one experiment, by (digest of runs, replication).

    path  of the experiment's file; None: runs are kept in memory only
    kind  of experiment: compare, sweep, size ...

    Raises:
        UserError: the file is there and is something else, or cannot be written to, or is in use.
    """

    def __init__(self, path: Path | None, kind: str) -> None:
        self.path = path
        self.format = format_of(kind)
        self._runs: dict[tuple[str, int], Summary] = {}
        self._used: set[tuple[str, int]] = set()
        self._journal: IO[str] | None = None
        if path is not None:
            self._open_journal(path)
            try:
                self._read(path)
            except BaseException:
                self._close_journal()
                raise
        self.found = len(self._runs)
        """Runs that an earlier, interrupted or finished, experiment left."""

    def get(self, digest: str, replication: int) -> Summary | None:
        """A finished run; it belongs to this experiment from now on."""
        key = (digest, replication)
        if key in self._runs:
            self._used.add(key)
        return self._runs.get(key)

    def put(self, digest: str, replication: int, summary: Summary) -> None:
        """Keep a finished run, in memory and in the journal."""
        self._runs[digest, replication] = summary
        self._used.add((digest, replication))
        if self._journal is not None:
            line = json.dumps([digest, replication, to_plain(summary)], separators=(",", ":"))
            try:
                self._journal.write(line + "\n")
                self._journal.flush()
            except OSError:  # a full disk: what is in memory is still reported
                self._close_journal()

    def forget(self, digest: str, replication: int) -> None:
        """As if the run were not there."""
        self._runs.pop((digest, replication), None)
        self._used.discard((digest, replication))

    def finish(self, result: dict[str, Any]) -> None:
        """Write the file: the result, and the runs that it rests on.

        Raises:
            UserError: it cannot be written; the journal stays.
        """
        if self.path is None:
            return
        runs: dict[str, dict[str, Any]] = {}
        for digest, replication in sorted(self._used):
            runs.setdefault(digest, {})[str(replication)] = to_plain(self._runs[digest, replication])
        write_whole(self.path, json_text({"format": self.format, **result, "runs": runs}))
        with suppress(OSError):
            journal_of(self.path).unlink()  # while it is still locked: another process may not lose its own
        self._close_journal()

    def close(self) -> None:
        """Let go of the journal; without `finish` before it stays where it is, for the next start."""
        self._close_journal()

    def _read(self, path: Path) -> None:
        if path.exists():
            try:
                data = json.loads(path.read_text(encoding="utf-8"))
                for digest, its in _runs_of(data, self.format).items():
                    for replication, plain in its.items():
                        self._runs[digest, int(replication)] = from_plain(plain)
            except OSError as error:
                raise UserError(f"cannot read {path}: {error.strerror or error}") from None
            except NOT_OURS:
                raise UserError(
                    f"{path} is there and is no {self.format} that could be gone on with; name another"
                    " file, or remove it"
                ) from None
        journal = journal_of(path)
        if journal.exists():
            for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(*NOT_OURS):  # the last line may be cut
                    digest, replication, plain = json.loads(line)
                    self._runs[digest, replication] = from_plain(plain)

    def _open_journal(self, path: Path) -> None:
        require_writable(path)
        if path.exists() and not path.is_file():
            raise UserError(
                f"cannot keep an experiment in {path}: it is no ordinary file; name another, or - to print"
                " the result as JSON"
            )
        try:
            journal = open(journal_of(path), "a", encoding="utf-8")  # noqa: SIM115  (open as long as this)
        except OSError as error:
            raise UserError(f"cannot write {journal_of(path)}: {error.strerror or error}") from None
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            journal.close()
            raise UserError(f"another slosim is writing {path}") from None
        if journal.tell():
            journal.write("\n")  # after a line that may be cut
        self._journal = journal

    def _close_journal(self) -> None:
        if self._journal is not None and self.path is not None:
            with suppress(OSError):
                if not journal_of(self.path).stat().st_size:
                    journal_of(self.path).unlink()
            with suppress(OSError):
                self._journal.close()
            self._journal = None


def journal_of(path: Path) -> Path:
    """Where finished runs are appended: beside the file itself, whatever links lead to it, so that one file
    has one journal, and one lock.
    """
    file = Path(os.path.realpath(path))
    return file.with_name(f".{file.name}.runs")


def _runs_of(data: Any, wanted: str) -> dict[str, dict[str, Any]]:
    if data["format"] != wanted:
        raise ValueError(data["format"])
    return data["runs"]
