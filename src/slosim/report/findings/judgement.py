"""Rules about objectives and their alerts: what the verdict does not say."""

from __future__ import annotations

import math
from collections.abc import Iterator

from slosim.measure.intervals import RULE_OF_THREE
from slosim.report.faults import occurrences_within
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.objectives import MISSED, UNDECIDED
from slosim.report.units import (
    clock,
    count,
    duration,
    enumeration,
    exact_share,
    plural,
    share,
    share_decimals,
    three_digits,
)

MOST_REPLICATIONS = 10_000
"""Beyond this the honest advice is that the value is too close to the target to tell."""


def nothing_counted(evidence: Evidence) -> Iterator[Finding]:
    for objective in evidence.content["objectives"]:
        if objective["sli_ratio"]["value"] is None:
            what = "sample" if objective["kind"] in ("lag", "age") else "finished instance"
            yield Finding(
                _subject(objective),
                f"'{objective['name']}' is undecided because nothing was counted: 0 good and 0 bad {what}s in"
                f" the {clock(evidence.seconds)} after the warm-up.",
            )


def undecided(evidence: Evidence) -> Iterator[Finding]:
    for objective in evidence.content["objectives"]:
        sli = objective["sli_ratio"]
        if objective["verdict"] == UNDECIDED and sli["value"] is not None:
            yield Finding(_subject(objective), _undecided_text(evidence, objective))


def _undecided_text(evidence: Evidence, objective: dict) -> str:
    sli, target = objective["sli_ratio"], objective["target_ratio"]
    decimals = max(share_decimals(value) for value in (sli["value"], sli["low"], target))
    interval = f"{share(sli['low'], decimals)} to {share(sli['high'], decimals)}"
    measured = f"{share(sli['value'], decimals)} ({interval})"
    text = f"'{objective['name']}' is undecided: {measured} against {exact_share(target)}."
    per_replication = objective["good"]["value"] + objective["bad"]["value"]
    if objective["bad"]["value"] == 0:
        n = per_replication * evidence.replications
        shown = share(sli["low"], decimals)
        text += f" {count(n)} without a single bad one show at best 1 - 3/{count(n)} = {shown};"
        if target == 1:
            return f"{text} no finite run shows 100%."
        needed = math.ceil(RULE_OF_THREE / (1 - target) / per_replication)
        return f"{text} {plural(needed, 'replication')} like these would decide it."
    distance = abs(sli["value"] - target)
    half_width = max(sli["high"] - sli["value"], sli["value"] - sli["low"])  # one side may end at 0% or 100%
    more = needed_replications(evidence.replications, half_width, distance) - evidence.replications
    if more > MOST_REPLICATIONS:
        return (
            f"{text} It is too close to the target to be decided by {count(MOST_REPLICATIONS)} replications."
        )
    return (
        f"{text} If the value stays where it is, about {plural(more, 'more replication')} decide it (the"
        f" interval shrinks with the square root of their number: ±{three_digits(100 * half_width)} points"
        f" now, {three_digits(100 * distance)} needed)."
    )


def needed_replications(replications: int, half_width: float, wanted: float) -> int:
    """Replications for an interval of half width `wanted` by the square-root law, more than now."""
    if wanted <= 0 or half_width / wanted > 1e6:
        return 2**62
    return max(replications + 1, math.ceil(replications * (half_width / wanted) ** 2))


def silent(evidence: Evidence) -> Iterator[Finding]:
    quiet = []
    for objective in evidence.content["objectives"]:
        pages = [alert for alert in objective["alerts"] if alert["severity"] == "page" and alert["evaluable"]]
        burn_rate = objective["error_budget"]["burn_rate"]["value"]
        if (
            objective["verdict"] == MISSED
            and pages
            and burn_rate
            and not any(alert["fired_ratio"] for alert in pages)
        ):
            quiet.append((objective, burn_rate, pages[-1]))
    if quiet:
        rates = ", ".join(
            f"'{objective['name']}' (burn rate {three_digits(rate)}, {_spent(objective)}; the slowest page"
            f" needs {page['burn_rate']:g} over {clock(page['long_s'])})"
            for objective, rate, page in quiet
        )
        yield Finding(_subject(quiet[0][0]), f"missed without a page in any replication: {rates}.")


def _spent(objective: dict) -> str:
    """How much of the budget of the whole window the run spends."""
    spent = objective["error_budget"]["consumed_of_window_ratio"]["value"]
    return f"which spends {share(spent)} of the whole budget"


def alert_fired(evidence: Evidence) -> Iterator[Finding]:
    for objective in evidence.content["objectives"]:
        fired = [alert for alert in objective["alerts"] if alert["fired_ratio"]]
        if fired:
            sentences = "; ".join(_fired_text(evidence, alert) for alert in fired)
            yield Finding(_subject(objective), f"'{objective['name']}' alerts: {sentences}.")


def _fired_text(evidence: Evidence, alert: dict) -> str:
    text = f"{alert_label(alert)} fires in {share(alert['fired_ratio'], 0)} of the replications"
    if not alert["fired_at_s"]:
        return text
    at = alert["fired_at_s"][0]
    text += f", in the first at {clock(at)}"
    begun = [start for start in _fault_starts(evidence) if start[0] <= at]
    if begun:
        since, name = begun[-1]
        text += f", {duration(at - since)} after '{name}' began"
    return text


def _fault_starts(evidence: Evidence) -> list[tuple[float, str]]:
    """(start in s, name) of each occurrence in the first replication, in order of time."""
    starts = [
        (fault["start_s"], fault["name"])
        for fault in evidence.content["faults"]
        if fault["start_s"] is not None
    ]
    for name in evidence.measurements[0].occurrences:
        starts += [(float(start), name) for start, _ in occurrences_within(name, evidence.measurements[0])]
    return sorted(starts, key=lambda one: one[0])


def alert_label(alert: dict) -> str:
    """`page (14.4x over 1h and 5m)`."""
    windows = f"{clock(alert['long_s'])} and {clock(alert['short_s'])}"
    return f"{alert['severity']} ({alert['burn_rate']:g}x over {windows})"


def alert_never_fires(evidence: Evidence) -> Iterator[Finding]:
    """One line for all objectives: a lenient target cannot burn fast, and needs no alert of that kind."""
    lenient = []
    for objective in evidence.content["objectives"]:
        never = [alert for alert in objective["alerts"] if not alert["evaluable"]]
        if never:
            factors = enumeration([f"{alert['burn_rate']:g}x" for alert in never])
            most = three_digits(1 / objective["error_budget"]["budget_ratio"])
            target = objective["target_ratio"]
            text = f"{factors} of '{objective['name']}' (at most 1 / (1 - {target:g}) = {most}x)"
            lenient.append((objective, len(never), text))
    if lenient:
        number = sum(its for _, its, _ in lenient)
        texts = "; ".join(text for _, _, text in lenient)
        yield Finding(
            _subject(lenient[0][0]),
            f"{plural(number, 'alert')} can never fire, as even everything being bad burns more slowly:"
            f" {texts}.",
        )


def coarse_samples(evidence: Evidence) -> Iterator[Finding]:
    step = evidence.scenario.run.sample_every
    for objective in evidence.content["objectives"]:
        short = [alert for alert in objective["alerts"] if alert["short_s"] < step]
        if short:
            yield Finding(
                _subject(objective),
                f"alerts of '{objective['name']}' look at windows down to {clock(short[0]['short_s'])},"
                f" shorter than the {clock(step)} between two samples: they are evaluated on counts spread"
                f" evenly in between. `sample_every: {clock(short[0]['short_s'])}` would be exact.",
            )


def _subject(objective: dict) -> str:
    return f"objectives.{objective['name']}"
