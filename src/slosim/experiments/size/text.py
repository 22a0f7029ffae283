"""The text of a size: the answer, its proof, what was tried, and what more money buys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from slosim.experiments.size.cases import demands_text
from slosim.experiments.size.dimensions import PER_HOUR, shown
from slosim.experiments.text import Said, finished, stopped_early, wrapped
from slosim.report.layout import Column, clean, paint, paragraph, table, title, width_of
from slosim.report.objectives import MET, MISSED, UNDECIDED
from slosim.report.text_verdict import STYLES
from slosim.report.units import clock, duration, enumeration, exact_share, plural, share, short, three_digits

BAR_COLUMNS = 24
BAR_MOST = 1.0
"""What is left of a budget that fills the bar of the front."""
COST_IN_FULL = 1e15
"""From here on a cost has an exponent; floats hold whole numbers up to about this."""
SHOWN_STEPS = 40
STEP_COLUMNS = 24
CONFIGURATION_COLUMNS = 32
LARGER_IS = {"better": "Size matters", "worse": "More makes it worse", "same": "Size does not change it"}


def text_of(data: dict[str, Any], width: int, colour: bool) -> str:
    """The whole text."""
    sections = [
        wrapped(headline(data), width),
        _configuration(data, width),
        _checks(data, width),
        _proof(data, width),
        _unmet(data, width),
        _front(data, width),
        _steps(data, width),
        wrapped([Said(note(data), "dim")], width),
    ]
    return finished(sections, colour)


# ---- numbers ---------------------------------------------------------------------------------------------


def money(cost: float | None, unit: str) -> str:
    """`1.08/h`, or `6 instances` where nothing has a price."""
    if cost is None:
        return "-"
    if cost >= COST_IN_FULL:
        return f"{cost:.3g}{'/h' if unit == PER_HOUR else ' instances'}"
    if unit == PER_HOUR:
        return f"{three_digits(cost)}/h" if cost < 1000 else f"{cost:,.0f}/h"
    return plural(cost, "instance")


def measured(check: dict[str, Any]) -> str:
    """What a check came to: `91.2% [90.8%, 91.6%] of 95%`."""
    if check["kind"] == "impossible":
        return clean(check["why"])
    if check["kind"] == "drain":
        return (
            f"{_longest(check)} of {clock(check['within_s'])}, peak lag {short(check['peak_lag']['value'])}"
        )
    return f"{_interval(check['sli_ratio'])} of {exact_share(check['target_ratio'])}"


def _longest(check: dict[str, Any]) -> str:
    if check["longest_s"] is None:
        return f"in time in {share(check['in_time_ratio'])} of the runs"
    return f"longest {duration(check['longest_s'])}"


def _interval(sli: dict[str, Any]) -> str:
    if sli["value"] is None:
        return "no data"
    if sli["low"] is None:
        return share(sli["value"])
    return f"{share(sli['value'])} [{share(sli['low'])}, {share(sli['high'])}]"


def _where(check: dict[str, Any]) -> str:
    return "" if check["case"] == "as it is" else f" {check['case']}"


def _verdict(verdict: str) -> str:
    return paint(verdict, STYLES[verdict])


# ---- the answer ------------------------------------------------------------------------------------------


def headline(data: dict[str, Any]) -> list[Said]:
    """The answer with its nearest failing neighbour, or what stands in its way; whether it ended early."""
    answer = data["answer"]
    sentence = _infeasible(data) if answer is None else f"{_answer(data)} {_one_fewer(data)}"
    what = "the best so far" if answer is not None else "nothing is met so far"
    return [
        Said(sentence, STYLES[MISSED if answer is None else MET]),
        *stopped_early(data, f"This is {what}, not proven."),
    ]


def _answer(data: dict[str, Any]) -> str:
    answer, demands = data["answer"], data["demands"]
    objectives = demands["objectives"]
    promised = [f"meets {_all(objectives)}"] if objectives else []
    if text := demands_text(demands):
        promised = [f"{' '.join(promised)} {text}".strip()]
    if drain := demands["drain"]:
        promised.append(
            f"drains {_a(drain['effect'])} of {clean(drain['target'])} of {clock(drain['outage_s'])} within"
            f" {clock(drain['within_s'])}"
        )
    configuration = clean(shown(answer["values"], data["services"]))
    return f"{configuration} = {money(answer['cost'], data['cost_unit'])} {', and '.join(promised)}."


def _a(effect: str) -> str:
    return "an outage" if effect == "outage" else f"a {effect}"


def _all(objectives: list[str]) -> str:
    if len(objectives) == 1:
        return f"'{clean(objectives[0])}'"
    return "both objectives" if len(objectives) == 2 else f"all {len(objectives)} objectives"


def _one_fewer(data: dict[str, Any]) -> str:
    """The neighbour that is nearest to being enough: one less of it and a promise is broken."""
    proof = [one for one in data["proof"] if one["neighbour"] is not None]
    if not proof:
        return ""
    nearest = max(proof, key=lambda one: (one["neighbour"]["verdict"] == UNDECIDED, _left(one["neighbour"])))
    check = nearest["neighbour"]["hardest"]
    less = _less(nearest, data)
    if check["kind"] == "impossible":
        return f"{less} and {clean(check['why'])}."
    verb = "misses" if check["verdict"] == MISSED else "leaves undecided"
    return f"{less} {verb} '{clean(check['name'])}'{_where(check)}: {measured(check)}."


def _left(trial: dict[str, Any]) -> float:
    left = trial["hardest"]["left_ratio"]
    return float("-inf") if left is None else left


def _less(proof: dict[str, Any], data: dict[str, Any]) -> str:
    path = proof["path"]
    value, before = proof["neighbour"]["values"][path], data["answer"]["values"][path]
    for name in data["services"]:
        if path == f"services.{name}.instances":
            fewer = before - value
            return f"{plural(fewer, f'{clean(name)} instance')} fewer"
    return f"{clean(path)}={value}"


def _infeasible(data: dict[str, Any]) -> str:
    if not data["unmet"]:
        return "Nothing that was tried meets everything."
    names = list(dict.fromkeys(f"'{clean(one['name'])}'" for one in data["unmet"]))
    largest = clean(shown(data["nearest"]["values"], data["services"]))
    return f"No size in these ranges is enough: {enumeration(names)} not met. The nearest is {largest}."


def _configuration(data: dict[str, Any], width: int) -> list[str]:
    notes = [line for note in data["notes"] for line in paragraph(clean(note), width)]
    return [
        title("CONFIGURATION"),
        *table(configuration_columns(data), width),
        *(paint(line, "dim") for line in notes),
    ]


def configuration_columns(data: dict[str, Any]) -> list[Column]:
    """What was found beside what the file has."""
    its = data["answer"] or data["nearest"]
    paths = list(its["values"])
    return [
        Column("", [*(clean(path) for path in paths), "cost"], "<"),
        Column(
            "in the file", [*(_value(data["file"]["values"][path]) for path in paths), _cost(data, "file")]
        ),
        Column(
            "answer" if data["answer"] else "nearest",
            [*(_value(its["values"][path]) for path in paths), money(its["cost"], data["cost_unit"])],
        ),
        Column("tried", [*(_range(one) for one in data["vary"]), ""]),
    ]


def _cost(data: dict[str, Any], key: str) -> str:
    return money(data[key]["cost"], data["cost_unit"])


def _value(value: Any) -> str:
    return "-" if value is None else clean(str(value))


def _range(one: dict[str, Any]) -> str:
    values = [clean(str(value)) for value in one["values"]]
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _checks(data: dict[str, Any], width: int) -> list[str]:
    """Every promise in every case, of the answer."""
    its = data["answer"]
    if its is None:
        return []
    return [
        title("WHAT IT MEETS", "left: of the error budget, or of the time to drain", width),
        *table(checks_columns(its), width),
    ]


def checks_columns(its: dict[str, Any]) -> list[Column]:
    """A row for each promise in each case."""
    rows = its["checks"]
    return [
        Column("promise", [clean(one["name"]) for one in rows], "<", most=32),
        Column("case", [clean(one["case"]) for one in rows], "<"),
        Column("verdict", [_verdict(one["verdict"]) for one in rows], "<"),
        Column("measured", [measured(one) for one in rows], "<"),
        Column("left", [left_of(one) for one in rows]),
        Column("runs", [str(one["replications"]) for one in rows], keep=1),
    ]


def left_of(check: dict[str, Any]) -> str:
    """What is left of its budget, or of its time."""
    left = check["left_ratio"]
    return "-" if left is None else f"{100 * left:.0f}%"


# ---- the proof -------------------------------------------------------------------------------------------


def _proof(data: dict[str, Any], width: int) -> list[str]:
    if not data["proof"]:
        return []
    *columns, promises = proof_columns(data)
    columns[0] = replace(columns[0], cells=[_end_of(cell, STEP_COLUMNS) for cell in columns[0].cells])
    return [
        title("WHY NOT LESS"),
        *_with_rest(columns, promises, width),
        *wrapped([Said(cheaper(data), "dim")], width),
    ]


def proof_columns(data: dict[str, Any]) -> list[Column]:
    """A row for each path: what one step less of it does."""
    rows = [(one, one["neighbour"]) for one in data["proof"]]
    return [
        Column("one step less", [_step_less(one, data) for one, _ in rows], "<"),
        Column("cost", ["" if its is None else money(its["cost"], data["cost_unit"]) for _, its in rows]),
        Column("verdict", ["" if its is None else _verdict(its["verdict"]) for _, its in rows], "<"),
        Column("measured", [_came_to(its) for _, its in rows], "<"),
        Column("hardest promise", [_promise(its) for _, its in rows], "<"),
    ]


def _step_less(one: dict[str, Any], data: dict[str, Any]) -> str:
    its = one["neighbour"] or data["answer"]
    return clean(shown({one["path"]: its["values"][one["path"]]}, data["services"]))


def _end_of(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"…{text[1 - letters :]}"


def _came_to(its: dict[str, Any] | None) -> str:
    if its is None:
        return "the smallest in its range"
    check = its["hardest"]
    after = f", after {check['replications']} runs" if check["verdict"] == UNDECIDED else ""
    return f"{measured(check)}{after}"


def _promise(its: dict[str, Any] | None) -> str:
    if its is None or its["hardest"]["kind"] == "impossible":
        return ""
    return f"{clean(its['hardest']['name'])}{_where(its['hardest'])}"


def _with_rest(columns: list[Column], last: Column, width: int) -> list[str]:
    """A table whose last column is cut to what is left of the width."""
    room = width - width_of(table(columns, width)[0]) - 2
    if room < len(last.title):
        return table(columns, width)
    return table([*columns, replace(last, most=room)], width)


def cheaper(data: dict[str, Any]) -> str:
    """What is known of configurations that cost less than the answer."""
    its = data["cheaper"]
    missed = f"{plural(its['missed'], 'cheaper configuration')} missed"
    if its["undecided"]:
        missed += f", {its['undecided']} stayed undecided"
    if its["is_cheapest"] and not its["missed"] + its["undecided"]:
        text = "Nothing in these ranges is cheaper."
    elif its["is_cheapest"]:
        text = f"{missed}; all others are smaller than one of these, and less is taken to be never better."
    elif its["not_tried"] is None:
        text = f"{missed}; there are too many others to try, so a cheaper one may exist."
    else:
        text = f"{missed}; {its['not_tried']:,} others were not tried, so a cheaper one may exist."
    if broken := data["not_monotone"]:
        text += (
            f" In {plural(len(broken), 'pair')} the larger configuration missed what the smaller one met:"
            " more is not always better here."
        )
    return text


# ---- nothing will do -------------------------------------------------------------------------------------


def _unmet(data: dict[str, Any], width: int) -> list[str]:
    if not data["unmet"]:
        return []
    return [
        title("WHAT STANDS IN THE WAY", "with the largest configuration", width),
        *(line for text in obstacles(data) for line in paragraph(text, width, "! ")),
        *(line for limit in data["limits"] for line in paragraph(clean(limit), width, "· ")),
        *(paragraph(text, width, "→ ") if (text := way_out(data)) else []),
    ]


def obstacles(data: dict[str, Any]) -> list[str]:
    """A sentence for each promise that the largest configuration does not keep."""
    return [_obstacle(its, data) for its in _by_name(data["unmet"])]


def way_out(data: dict[str, Any]) -> str:
    """The options that size for what size can change; empty: there are none."""
    whatever = [its[0]["name"] for its in _by_name(data["unmet"]) if _is_whatever(its[0])]
    if not whatever or set(whatever) == set(data["demands"]["objectives"]):
        return ""
    options = " ".join(f"--ignore '{clean(name)}'" for name in whatever)
    return f"To size for the others: {options}"


def _by_name(unmet: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """What is not met, the cases of each promise together; the whole system, if among them, is the first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in unmet:
        found.setdefault(one["name"], []).append(one)
    return list(found.values())


def _is_whatever(one: dict[str, Any]) -> bool:
    return one["elsewhere"] is not None and one["elsewhere"]["larger_is"] == "same"


def _obstacle(its: list[dict[str, Any]], data: dict[str, Any]) -> str:
    one = its[0]
    text = f"'{clean(one['name'])}' {clean(one['case'])}: {one['verdict']}, {measured(one)}."
    if len(its) > 1:
        text += f" Nor {enumeration([clean(other['case']) for other in its[1:]])}."
    if one["kind"] == "objective" and one["target_ratio"] == 1:
        text += " No finite run shows that a target of 100% is met."
    losses = one["losses"]
    for key, word in (("dead_lettered_ratio", "dead-lettered"), ("dropped_ratio", "dropped")):
        if losses and losses.get(key):
            text += f" {share(losses[key])} of {clean(losses['flow'])} is {word}."
    elsewhere = one["elsewhere"]
    if elsewhere:
        there = clean(shown(elsewhere["values"], data["services"]))
        text += f" {LARGER_IS[elsewhere['larger_is']]}: {_interval(elsewhere['sli_ratio'])} with {there}."
    return text


# ---- what was tried --------------------------------------------------------------------------------------


def _front(data: dict[str, Any], width: int) -> list[str]:
    rows = _apart(data["front"])
    if len(rows) < 2:
        return []
    bars = Column("", [paint(_bar(one["hardest"]["left_ratio"]), "cyan") for one in rows], "<", keep=2)
    note = f"of the hardest promise's budget; configurations as {order(data)}"
    return [title("COST AND WHAT IT LEAVES", note, width), *table([*front_columns(data, rows), bars], width)]


def front_columns(data: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[Column]:
    """A row for each trial of a front."""
    return [
        Column("cost", [money(one["cost"], data["cost_unit"]) for one in rows]),
        Column("configuration", [compact(one["values"]) for one in rows], "<", most=CONFIGURATION_COLUMNS),
        Column("verdict", [_verdict(one["verdict"]) for one in rows], "<"),
        Column("hardest promise", [hardest(one) for one in rows], "<", keep=1, most=STEP_COLUMNS),
        Column("left", [left_of(one["hardest"]) for one in rows]),
    ]


def _apart(front: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that leave no more than a cheaper one as far as is shown."""
    rows: list[dict[str, Any]] = []
    for one in front:
        if not rows or left_of(one["hardest"]) != left_of(rows[-1]["hardest"]):
            rows.append(one)
    return rows


def hardest(its: dict[str, Any]) -> str:
    """The promise that a trial comes nearest to breaking, or breaks most."""
    check = its["hardest"]
    return clean(check["why"] if check["kind"] == "impossible" else check["name"])


def _bar(left: float) -> str:
    """What is left as a bar, empty where nothing is."""
    return "█" * round(BAR_COLUMNS * min(max(left, 0.0), BAR_MOST))


def _steps(data: dict[str, Any], width: int) -> list[str]:
    steps = data["steps"]
    rows = steps[:SHOWN_STEPS]
    more = [f"and {len(steps) - len(rows)} more"] if len(steps) > len(rows) else []
    return [
        title("STEPS", f"configurations as {order(data)}", width),
        *table(steps_columns(data, rows), width),
        *more,
    ]


def steps_columns(data: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[Column]:
    """A row for each of the first steps."""
    return [
        Column("", [str(number) for number in range(1, len(rows) + 1)]),
        Column("tried", [clean(one["why"]) for one in rows], "<", most=30),
        Column("configuration", [compact(one["values"]) for one in rows], "<", most=CONFIGURATION_COLUMNS),
        Column("cost", [money(one["cost"], data["cost_unit"]) for one in rows]),
        Column("verdict", [_verdict(one["verdict"]) for one in rows], "<"),
        Column("runs", [str(one["hardest"]["replications"]) for one in rows]),
        Column("hardest promise", [hardest(one) for one in rows], "<", keep=1, most=STEP_COLUMNS),
        Column("left", [left_of(one["hardest"]) for one in rows]),
    ]


def compact(values: dict[str, Any]) -> str:
    """A configuration as its values, in the order of `order`."""
    return " ".join(clean(str(value)) for value in values.values())


def order(data: dict[str, Any]) -> str:
    """What the values of a configuration are of."""
    return ", ".join(clean(_word(one["path"], data)) for one in data["vary"])


def _word(path: str, data: dict[str, Any]) -> str:
    return next((name for name in data["services"] if path == f"services.{name}.instances"), path)


def note(data: dict[str, Any]) -> str:
    """What met means, and how it was done."""
    run, demands = data["run"], data["demands"]
    warmup = f", measured from {clock(run['warmup_s'])} on" if run["warmup_s"] else ""
    drain = demands["drain"]
    outage = (
        f" The {drain['effect']} starts at {clock(drain['at_s'])}; in time means in every run, in which no"
        " objective is judged."
        if drain
        else ""
    )
    ignored = demands["ignored"]
    left_out = f" Not sized for: {enumeration([clean(name) for name in ignored])}." if ignored else ""
    return (
        f"Met: the 95% interval of every objective is clear of its target, with at least"
        f" {run['replications']} runs of {clock(run['duration_s'])}{warmup}, seed {run['seed']}, of each"
        f" case; all configurations meet the same work. Where they leave it undecided it gets up to"
        " four times as many, and intervals are not widened for these looks: a promise exactly at its"
        f" target is called met in 6% of searches, not in 2.5%.{outage}{left_out} slosim {data['version']}"
    )
