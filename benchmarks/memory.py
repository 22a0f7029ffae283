"""Does memory grow with the number of messages? Peak memory of the pipeline with few and with many orders.

A simulator that keeps no message longer than it lives needs the same memory for any number of them. The
goal: the many within 50 MB of the few. Measured is the peak resident memory of the whole process, interpreter
and compiled engine included.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent / "peers" / "slosim_pipeline.py"
GOAL_MB = 50.0


def peak_memory_mb(orders: int) -> float:
    """Peak resident memory of a process that simulates that many orders, MB."""
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(orders), "1"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the run with {orders:,} orders ended with {process.returncode}")
    return usage.ru_maxrss / 1024  # KiB on Linux


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--few", type=float, default=1e6, help="orders, default 1e6")
    parser.add_argument("--many", type=float, default=50e6, help="orders, default 50e6")
    arguments = parser.parse_args()
    peak_memory_mb(1000)  # compiles the engine if need be: the compiler takes more than any run
    few, many = (peak_memory_mb(int(orders)) for orders in (arguments.few, arguments.many))
    print(f"{int(arguments.few):>12,} orders: {few:8.1f} MB")
    growth = f"{many - few:+.1f} MB (goal: below +{GOAL_MB:.0f} MB)"
    print(f"{int(arguments.many):>12,} orders: {many:8.1f} MB, {growth}")
    return 0 if many - few < GOAL_MB else 1


if __name__ == "__main__":
    sys.exit(main())
