"""What the forms of a report cost: whole processes that make one of a saved report, and opening its page.

The orders example is simulated once (ten replications); then `slosim report run.json -q` makes each form in
turns. The first row makes none: what it takes is Python and reading the file. The page is opened in headless
Chromium, where there is one, from disk: until its text is there, and until all its charts are drawn.

    python benchmarks/outputs.py                    # a minute or two

Goals: the page is written in less than 3 s, from the run to the file, and opens in less than 2 s.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORDERS = ROOT / "examples" / "orders.yaml"
FORMS = {
    "nothing": [],
    "--json": ["--json", "a.json"],
    "--html": ["--html", "a.html"],
    "--markdown": ["--markdown", "a.md"],
    "--junit": ["--junit", "a.xml"],
    "--openslo": ["--openslo", "a.yaml"],
    "--trace": ["--trace", "trace.json"],
    "--tables": ["--tables", "tables"],
    "--charts": ["--charts", "charts"],
    "--out": ["--out", "out"],
}
WRITTEN_GOAL_S, OPENED_GOAL_S = 3.0, 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slosim(folder, "run", ORDERS, "-q", "--json", "run.json", "--html", "page.html", "--trace", "t.json")
        taken: dict[str, list[float]] = {form: [] for form in FORMS}
        runs: list[float] = []
        for _ in range(rounds):
            runs.append(slosim(folder, "run", ORDERS, "-q", "--html", "page.html"))
            for form, options in FORMS.items():
                taken[form].append(slosim(folder, "report", "run.json", "-q", *options))
        print(f"{'form':<12} {'seconds':>8} {'beyond nothing':>15}")
        least = statistics.median(taken["nothing"])
        for form, times in taken.items():
            median = statistics.median(times)
            print(f"{form:<12} {median:8.2f} {median - least:15.2f}")
        written = statistics.median(runs)
        print(f"\nslosim run examples/orders.yaml --html: {written:.2f} s (goal: {WRITTEN_GOAL_S:g} s)")
        opened = opening(folder / "page.html", rounds)
    return int(written > WRITTEN_GOAL_S or opened > OPENED_GOAL_S)


def slosim(folder: Path, *arguments: object) -> float:
    """Seconds that a whole process takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "slosim", *map(str, arguments)], cwd=folder, check=True)
    return time.perf_counter() - began


def opening(page: Path, rounds: int) -> float:
    """Seconds until the page is there, 0 without a browser; prints them."""
    sys.path.insert(0, str(ROOT / "tests"))
    from browser import CHROMIUM, DRIVER, Browser

    if not CHROMIUM or not DRIVER:
        print("no Chromium: how long the page takes to open was not measured")
        return 0.0
    browser = Browser()
    there, drawn = [], []
    try:
        for _ in range(rounds):
            browser.look()
            began = time.perf_counter()
            browser.open(page)
            drawn.append(time.perf_counter() - began)
            there.append(
                browser.run("return performance.getEntriesByType('navigation')[0].loadEventEnd") / 1e3
            )
    finally:
        browser.close()
    median = statistics.median(there)
    print(
        f"the page: {page.stat().st_size / 1e6:.2f} MB, there after {median:.2f} s"
        f" (goal: {OPENED_GOAL_S:g} s), all charts drawn after {statistics.median(drawn):.2f} s"
    )
    return median


if __name__ == "__main__":
    sys.exit(main())
