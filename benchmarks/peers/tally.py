"""What the Python programs of the pipeline benchmark share: the system's numbers, statistics, output.

The statistics are the same in all of them, in plain Python, so that they cost the same in all of them.
"""

import json
import sys
import time
from math import frexp, ldexp

ARRIVAL_RATE_PER_S = 0.12
FAILURE_PROBABILITY = 0.02  # of an attempt at payment, decided at its end
RETRY_S = (10.0, 30.0)  # uniform, before a failed order joins the line again
NAMES = ("intake", "payment", "inventory", "shipping")
SLOTS = (1, 2, 1, 2)
SERVICE_S = ((1.0, 3.0), (4.0, 12.0), (2.0, 8.0), (6.0, 16.0))
PAYMENT = 1

SUB_BUCKETS = 128  # to each doubling, so a bucket's middle is within 0.4%
SMALLEST_EXPONENT = -40
BUCKETS = 80 * SUB_BUCKETS


class Histogram:
    """Log-linear histogram of times in seconds, with their count, sum and maximum."""

    def __init__(self):
        self.count = [0] * (BUCKETS + 1)
        self.n = 0
        self.sum = 0.0
        self.max = 0.0

    def record(self, x):
        self.n += 1
        self.sum += x
        if x > self.max:
            self.max = x
        if x < 1e-12:
            self.count[0] += 1
        else:
            mantissa, exponent = frexp(x)  # mantissa in [0.5, 1)
            self.count[((exponent - SMALLEST_EXPONENT - 1) << 7) + int(mantissa * 256.0) - 127] += 1

    def quantile(self, p):
        below = 0
        for bucket, count in enumerate(self.count):
            below += count
            if count and below >= p * self.n:
                if bucket == 0:
                    return 0.0
                octave, cell = divmod(bucket - 1, SUB_BUCKETS)
                return ldexp(1.0 + (cell + 0.5) / SUB_BUCKETS, octave + SMALLEST_EXPONENT)
        return self.max

    def summary(self):
        return {
            "count": self.n,
            "mean": self.sum / self.n if self.n else 0.0,
            "p50": self.quantile(0.5),
            "p99": self.quantile(0.99),
            "max": self.max,
        }


class StageTally:
    """Everything that is recorded at one stage."""

    def __init__(self):
        self.attempts = self.succeeded = self.failed = 0
        self.waiting = self.waiting_max = 0
        self.changed = 0.0  # s, when `waiting` last changed
        self.waiting_area = 0.0  # message-seconds
        self.busy_s = 0.0  # slot-seconds
        self.wait, self.service, self.sojourn = Histogram(), Histogram(), Histogram()

    def waits(self, now):
        self.waiting_area += self.waiting * (now - self.changed)
        self.changed = now
        self.waiting += 1
        if self.waiting > self.waiting_max:
            self.waiting_max = self.waiting

    def taken(self, now):
        self.waiting_area += self.waiting * (now - self.changed)
        self.changed = now
        self.waiting -= 1

    def close(self, now):
        self.waiting_area += self.waiting * (now - self.changed)
        self.changed = now

    def summary(self, duration_s, slots):
        return {
            "attempts": self.attempts,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "utilisation_ratio": self.busy_s / duration_s / slots,
            "waiting_mean": self.waiting_area / duration_s,
            "waiting_max": self.waiting_max,
            "wait_s": self.wait.summary(),
            "service_s": self.service.summary(),
            "sojourn_s": self.sojourn.summary(),
        }


def main(program, simulate):
    """Runs one program and prints one line of JSON.

    `simulate(duration_s, seed)` returns orders, latency histogram, a tally for each stage, CPU seconds.
    Arguments on the command line: the number of orders (the mean of a Poisson number) and the seed.
    """
    orders_wanted = float(sys.argv[1]) if len(sys.argv) > 1 else 20_000.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    duration_s = orders_wanted / ARRIVAL_RATE_PER_S
    orders, latency, stages, seconds = simulate(duration_s, seed)
    print(
        json.dumps(
            {
                "program": program,
                "orders": orders,
                "seconds": seconds,
                "latency_s": latency.summary(),
                "stages": {
                    name: stage.summary(duration_s, slots)
                    for name, stage, slots in zip(NAMES, stages, SLOTS, strict=True)
                },
            }
        )
    )


def cpu_seconds():
    """CPU time of this process so far, s."""
    return time.process_time()
