"""What pairing is worth: intervals of a difference from pairs on identical work, and from independent seeds.

For some changes of the orders example, both variants are simulated with the same seed (pairs) and the second
one with another seed (independent runs), the same number of replications each. The number of replications
that an interval of some width needs is proportional to the variance, so the ratio of the squared widths is
how many times more replications independent runs need. Widths are estimates themselves, known to some 10% at
200 replications.

    python benchmarks/pairing.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import slosim
from slosim.experiments.quantities import change, half_width, quantities_of
from slosim.experiments.store import Store
from slosim.experiments.study import Study, Wanted
from slosim.report.units import three_digits
from slosim.workers import open_workers

ORDERS = Path(__file__).resolve().parent.parent / "examples" / "orders.yaml"
CHANGES = {
    "payment takes 5% longer": {
        "services.payment.service_time": {"lognormal": {"mean": "420ms", "p99": "2.1s"}}
    },
    "one instance less of payment": {"services.payment.instances": 2},
    "shipping may make 9 calls a second, not 8": {"services.shipping.rate_limit.rate": "9/s"},
    "payment fails 1.1%, not 1%": {"services.payment.failures": "1.1%"},
    "payment tries 9 times, not 8": {"services.payment.retry.maximum_attempts": 9},
}
SHOWN = (
    "objectives.orders ship in time.sli_ratio",
    "flows.fulfilment.latency_s.mean",
    "flows.fulfilment.latency_s.p99",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=200)
    count = parser.parse_args().replications
    before = slosim.load(ORDERS)
    quantities = [one for one in quantities_of(before) if one.key in SHOWN]
    print("| change | quantity | difference ± with pairs | ± independent | times as many replications |")
    print("|---|---|---|---|---|")
    with open_workers() as workers:
        study = Study(workers, Store(None, "compare"))
        for name, changes in CHANGES.items():
            paired = before.replace(changes)
            independent = paired.replace({"run.seed": before.run.seed + 1})
            old, new, other = study.summaries([Wanted(one, count) for one in (before, paired, independent)])
            for quantity in quantities:
                pairs, singles = change(quantity, old, new), change(quantity, old, other)
                with_pairs, without = half_width(pairs.difference), half_width(singles.difference)
                ratio = "–" if not with_pairs or not without else f"{(without / with_pairs) ** 2:.0f}"
                numbers = [three_digits(one or 0.0) for one in (pairs.difference.value, with_pairs, without)]
                print(
                    f"| {name} | {quantity.name} | {numbers[0]} ± {numbers[1]} | {numbers[2]} | {ratio} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
