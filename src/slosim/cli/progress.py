"""The progress of a run on stderr, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from slosim.cli import exits

if TYPE_CHECKING:
    import rich.progress

    from slosim.simulation import Progress

SHOWN_AFTER_S = 1.0


class ProgressBar:
    """A bar on a terminal once a run has taken a second: simulated time, messages per second, time left.

    It is called by `slosim.run` about ten times a second; there a first Ctrl-C takes effect, so that what has
    been simulated is whole and can be reported. A second one, or one before there is anything to report (the
    engine is being compiled), ends the process at once.

    leaving  called before the process ends at once
    """

    def __init__(self, shown: bool, leaving: Callable[[], None] | None = None) -> None:
        self.shown = shown and sys.stderr.isatty()
        self.leaving = leaving
        self.began: float | None = None
        """When the first simulated time was reported, s on the monotonic clock."""
        self.interrupted = False
        self._bar: rich.progress.Progress | None = None
        self._handler_before: Any = None

    def __enter__(self) -> ProgressBar:
        if threading.current_thread() is threading.main_thread():
            self._handler_before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        if self._handler_before is not None:
            signal.signal(signal.SIGINT, self._handler_before)

    def __call__(self, progress: Progress) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        if self.began is None:
            if progress.replication > 0 or progress.simulated_s > 0.0:
                self.began = time.monotonic()
        elif self.shown and time.monotonic() - self.began > SHOWN_AFTER_S:
            self._show(progress, time.monotonic() - self.began)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._close()
        if self.interrupted or self.began is None:
            exits.complain("interrupted")
            if self.leaving is not None:
                with suppress(OSError, RuntimeError):  # its file may be just being written
                    self.leaving()
            os._exit(exits.INTERRUPTED)
        self.interrupted = True
        exits.complain("interrupted: reporting what is finished (once more: stop at once)")

    def _show(self, progress: Progress, seconds: float) -> None:
        from slosim.report.units import duration

        if self._bar is None:
            self._bar = _open_bar()
        whole = progress.duration_s * progress.replications
        done = progress.duration_s * progress.replication + progress.simulated_s
        self._bar.update(
            self._bar.task_ids[0],
            completed=min(done / whole, 1.0),
            rate=f"{progress.messages / seconds:,.0f} messages/s",
            simulated=progress.doing or f"{duration(done)} of {duration(whole)} simulated",
        )

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _open_bar() -> rich.progress.Progress:
    """A bar of one task from 0 to 1 that leaves nothing behind."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[simulated]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("run", total=1.0, rate="", simulated="")
    bar.start()
    return bar
