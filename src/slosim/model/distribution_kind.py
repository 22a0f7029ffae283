"""Distributions as they are written: a duration, or one of the named forms with `shift` and `cap`."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from dataclasses import dataclass
from typing import Any

from slosim.model import distributions as d
from slosim.model import lognormal, series_files
from slosim.model.document import ListNode, MapNode, Node, Scalar, describe
from slosim.model.fields import Record, Spec, has_invalid, spec
from slosim.model.kinds import DURATION, FILE_NAME, FREE_TEXT, INVALID, NUMBER, SHARE, Kind, ListOf, Reading
from slosim.model.values import did_you_mean, nearest, quoted
from slosim.model.variants import Form, Variants

SHARE_SUM_TOLERANCE = 1e-9  # shares are rounded decimals; their sum is not


class UniformKind(Kind):
    """`[4s, 12s]`."""

    noun = "a list of two durations, the smaller first"
    accepted = "for example {uniform: [4s, 12s]}"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, ListNode) or len(node.items) != 2:
            found = f"a list of {len(node.items)}" if isinstance(node, ListNode) else describe(node)
            return reading.problem(node, path, f"expected {self.noun}, got {found}", self.accepted)
        low, high = (DURATION.read(item, f"{path}[{i}]", reading) for i, item in enumerate(node.items))
        if INVALID in (low, high):
            return INVALID
        if high < low:
            first, second = (describe(item) for item in node.items)
            what = f"the smaller duration must come first, got [{first}, {second}]"
            return reading.problem(node, path, what, "", f"did you mean [{second}, {first}]?")
        return d.Uniform(low, high)

    def write(self, value: d.Uniform) -> list:
        return [DURATION.write(value.low), DURATION.write(value.high)]

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": DURATION.schema(definitions), "minItems": 2, "maxItems": 2}


class IntegersKind(Record):
    """`{from: 4, to: 11}`."""

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        made = super().read(node, path, reading)
        if has_invalid(made):
            return INVALID
        for key, value in (("from", made.first), ("to", made.last)):
            if value != int(value):
                where = f"{path}.{key}"
                what = f"expected whole seconds, got {DURATION.write(value)}"
                return reading.problem(
                    reading.at(where), where, what, "integers draws whole seconds, both ends included"
                )
        if made.last < made.first:
            what = f"from is above to, got from {made.first:g} to {made.last:g}"
            return reading.problem(
                node, path, what, "", f"did you mean {{from: {made.last:g}, to: {made.first:g}}}?"
            )
        return made

    def write(self, value: d.Integers) -> dict:
        return {"from": int(value.first), "to": int(value.last)}


class LogNormalKind(Kind):
    """`{mean: 80ms, p99: 400ms}`: two of mean, median, sd, cv, p90, p95, p99."""

    noun = "two of mean, median, sd, cv, p90, p95, p99"
    accepted = "for example {lognormal: {mean: 80ms, p99: 400ms}}"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, MapNode):
            return reading.problem(node, path, f"expected {self.noun}, got {describe(node)}", self.accepted)
        found: dict[str, float] = {}
        for key, value in node.entries.items():
            if key not in lognormal.PARAMETERS:
                close = nearest(key, lognormal.PARAMETERS)
                hint = did_you_mean(close) if close else ""
                what = f"lognormal has no parameter {quoted(key)}"
                found[key] = reading.problem(
                    node.key_node(key), path, what, f"two of {', '.join(lognormal.PARAMETERS)}", hint
                )
                continue
            reading.nodes[f"{path}.{key}"] = value
            kind = NUMBER.above_zero() if key == "cv" else DURATION.above_zero()
            found[key] = kind.read(value, f"{path}.{key}", reading)
        if len(found) != 2:
            what = f"expected two parameters, got {len(found)}" + (f": {', '.join(found)}" if found else "")
            return reading.problem(node, path, what, f"two of {', '.join(lognormal.PARAMETERS)}")
        if INVALID in found.values():
            return INVALID
        (first, a), (second, b) = found.items()
        try:
            mu, sigma = lognormal.solve(first, a, second, b)
        except (lognormal.NoSolution, OverflowError) as why:
            written = ", ".join(f"{key} {describe(node.entries[key])}" for key in found)
            reason = str(why) if isinstance(why, lognormal.NoSolution) else "the two values are too far apart"
            return reading.problem(node, path, f"no lognormal distribution has this, got {written}", reason)
        return d.LogNormal(mu, sigma, given=((first, a), (second, b)))

    def write(self, value: d.LogNormal) -> dict:
        given = value.given or (("median", math.exp(value.mu)), ("cv", math.sqrt(math.expm1(value.sigma**2))))
        return {name: (NUMBER if name == "cv" else DURATION).write(number) for name, number in given}

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        kinds = {name: NUMBER if name == "cv" else DURATION for name in lognormal.PARAMETERS}
        properties = {name: kind.schema(definitions) for name, kind in kinds.items()}
        return {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            "minProperties": 2,
            "maxProperties": 2,
        }


class QuantilesKind(Kind):
    """`{p50: 40ms, p90: 90ms, max: 2s}`."""

    noun = "quantiles such as p50, p99 or p99.9, and max"
    accepted = (
        "for example {quantiles: {p50: 40ms, p90: 90ms, p99: 300ms, max: 2s}}, with min where it is not 0"
    )

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, MapNode):
            return reading.problem(node, path, f"expected {self.noun}, got {describe(node)}", self.accepted)
        points: dict[float, tuple[str, float]] = {} if "min" in node.entries else {0.0: ("min", 0.0)}
        broken = False
        for key, value in node.entries.items():
            reading.nodes[f"{path}.{key}"] = value
            seconds = DURATION.read(value, f"{path}.{key}", reading)
            p = self.probability(key, node, path, reading)
            if p is not INVALID and p in points:
                what = f"{key} and {points[p][0]} are the same quantile"
                p = reading.problem(node.key_node(key), path, what)
            broken = broken or INVALID in (seconds, p)
            if p is not INVALID:
                points[p] = (key, seconds)
        if 1.0 not in points:
            broken = True
            reading.problem(
                node, path, "max is missing", "without a largest value the last line would have no end"
            )
        return INVALID if broken else self.ordered(points, path, reading)

    def probability(self, key: str, node: MapNode, path: str, reading: Reading) -> Any:
        if key in ("min", "max"):
            return 0.0 if key == "min" else 1.0
        match = re.fullmatch(r"p([0-9]{1,2}(?:\.[0-9]{1,9})?)", key)
        if match and float(match[1]) > 0:
            return SHARE.parse(f"{match[1].lstrip('0') if not match[1].startswith('0.') else match[1]}%")
        hints = {"p100": "max", "p0": "min", "median": "p50", "minimum": "min", "maximum": "max"}
        number = re.fullmatch(r"[pP]?([0-9.]+)%?", key)
        meant = hints.get(key, f"p{number[1]}" if number else "")
        what = f"not a quantile, got {quoted(key)}"
        return reading.problem(
            node.key_node(key), path, what, self.accepted, did_you_mean(meant) if meant else ""
        )

    def ordered(self, points: dict[float, tuple[str, float]], path: str, reading: Reading) -> Any:
        in_order = sorted(points.items())
        for (_, (below, x)), (_, (above, y)) in itertools.pairwise(in_order):
            if y < x:
                where = f"{path}.{above}"
                what = f"{above} is below {below}, got {DURATION.write(y)} below {DURATION.write(x)}"
                return reading.problem(
                    reading.at(where), where, what, "a higher quantile is never a shorter time"
                )
        return d.Quantiles(tuple((p, seconds) for p, (_, seconds) in in_order))

    def write(self, value: d.Quantiles) -> dict:
        inner = {f"p{SHARE.write(p).removesuffix('%')}": x for p, x in value.points[1:-1]}
        written = {"min": value.points[0][1], **inner, "max": value.points[-1][1]}
        return {key: DURATION.write(x) for key, x in written.items()}

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        pattern = {r"^(min|max|p[0-9]{1,2}(\.[0-9]+)?)$": DURATION.schema(definitions)}
        return {
            "type": "object",
            "patternProperties": pattern,
            "additionalProperties": False,
            "required": ["max"],
        }


@dataclass(frozen=True)
class EmpiricalFile:
    """Where the values of an empirical distribution are written."""

    word = "empirical"
    file: str = spec(FILE_NAME, "CSV file with a header row, relative to the folder of the scenario file")
    column: str = spec(FREE_TEXT, "column with the durations; a bare number is seconds")


class EmpiricalKind(Record):
    def read(self, node: Node, path: str, reading: Reading) -> Any:
        source = super().read(node, path, reading)
        if has_invalid(source):
            return INVALID
        table = series_files.read_durations(source, path, reading)
        if table is INVALID:
            return INVALID
        return d.Empirical(
            values=tuple(table.values), file=source.file, column=source.column, content=table.content
        )

    def write(self, value: d.Empirical) -> dict:
        return {"file": value.file, "column": value.column}


class _AnyDistribution(Kind):
    """DISTRIBUTION, which cannot be named before it is defined, inside itself."""

    noun = "a distribution"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        return DISTRIBUTION.read(node, path, reading)

    def write(self, value: d.Distribution) -> Any:
        return DISTRIBUTION.write(value)

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return DISTRIBUTION.schema(definitions)

    def label(self) -> str:
        return DISTRIBUTION.label()


@dataclass(frozen=True)
class MixturePart:
    """One distribution of a mixture."""

    word = "mixture part"
    share: float = spec(SHARE, "how often this part is drawn; the shares add up to 100%")
    value: d.Distribution = spec(_AnyDistribution(), "its distribution")


class MixtureKind(Kind):
    """`[{share: 99%, value: 10ms}, {share: 1%, value: {exponential: 1s}}]`."""

    noun = "a list of {share: …, value: …}"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        parts = ListOf(Record(MixturePart)).read(node, path, reading)
        if has_invalid(parts):
            return INVALID
        if (fault := share_sum_fault([part.share for part in parts])) is not None:
            return reading.problem(node, path, *fault)
        return d.Mixture(tuple((part.share, part.value) for part in parts))

    def write(self, value: d.Mixture) -> list:
        return [
            {"share": SHARE.write(share), "value": DISTRIBUTION.write(part)} for share, part in value.parts
        ]

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return ListOf(Record(MixturePart)).schema(definitions)


def share_sum_fault(shares: list[float]) -> tuple[str, str] | None:
    """What is wrong with shares that do not add up to 100%, and what would be right."""
    total = math.fsum(shares)
    if abs(total - 1) <= SHARE_SUM_TOLERANCE:
        return None
    return (
        f"the shares add up to {round(total * 100, 9):g}%, not 100%",
        "every message takes exactly one of them",
    )


class _Solved(Variants):
    """Variants whose inner values are read by kinds of their own."""

    special: dict[type, Kind]

    def read_form(self, word: str, node: MapNode, path: str, reading: Reading) -> Any:
        kind = self.special.get(self.forms[word].cls)
        if kind is None:
            return super().read_form(word, node, path, reading)
        where = f"{path}.{word}"
        reading.nodes[where] = node.key_node(word)
        extras = self.read_extras(word, node, path, reading)
        made = kind.read(node.entries[word], where, reading)
        if made is INVALID or INVALID in extras.values():
            return INVALID
        return dataclasses.replace(made, **extras)

    def write(self, value: Any) -> Any:
        kind = self.special.get(type(value))
        if kind is None:
            return super().write(value)
        written = {self.word_of(value): kind.write(value)}
        for key, one in self.extras.items():
            if one.written_if(value) and getattr(value, key) is not None:
                written[key] = one.kind.write(getattr(value, key))
        return written

    def form_schema(self, word: str, definitions: dict[str, Any]) -> dict[str, Any]:
        kind = self.special.get(self.forms[word].cls)
        if kind is None:
            return super().form_schema(word, definitions)
        properties = {word: kind.schema(definitions)}
        for key, one in self.extras.items():
            properties[key] = one.kind.schema(definitions)
        return {"type": "object", "additionalProperties": False, "required": [word], "properties": properties}


class DistributionKind(_Solved):
    """A duration, or a mapping of one form."""

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, Scalar) and node.text.partition(":")[0] not in self.forms:
            value = DURATION.read(node, path, reading)
            return value if value is INVALID else d.Constant(value)
        made = super().read(node, path, reading)
        return made if made is INVALID or self.shift_and_cap_fit(made, node, path, reading) else INVALID

    def shift_and_cap_fit(self, made: d.Distribution, node: Node, path: str, reading: Reading) -> bool:
        if made.cap is not None and made.cap < made._range()[0] + made.shift:
            where = f"{path}.cap"
            least = DURATION.write(made._range()[0] + made.shift)
            what = f"the cap is below the smallest value {least}, got {DURATION.write(made.cap)}"
            reading.problem(
                reading.at(where),
                where,
                what,
                "every draw would be the cap: write the cap alone as a constant",
            )
            return False
        return True

    def write(self, value: Any) -> Any:
        return DURATION.write(value.value) if isinstance(value, d.Constant) else super().write(value)

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [DURATION.schema(definitions), super().schema(definitions)]}

    def label(self) -> str:
        return "[distribution](#distributions)"


FORMS = {
    "uniform": Form(d.Uniform, "{uniform: [4s, 12s]}"),
    "integers": Form(d.Integers, "{integers: {from: 4, to: 11}}"),
    "exponential": Form(d.Exponential, "{exponential: 50ms}", single="mean"),
    "normal": Form(d.Normal, "{normal: {mean: 50ms, sd: 9ms}}"),
    "lognormal": Form(d.LogNormal, "{lognormal: {mean: 80ms, p99: 400ms}}"),
    "gamma": Form(d.Gamma, "{gamma: {mean: 1s, cv: 0.5}}"),
    "erlang": Form(d.Erlang, "{erlang: {mean: 1s, stages: 3}}"),
    "weibull": Form(d.Weibull, "{weibull: {mean: 1s, shape: 0.7}}"),
    "pareto": Form(d.Pareto, "{pareto: {minimum: 1s, shape: 2.5}}"),
    "hyperexponential": Form(d.Hyperexponential, "{hyperexponential: {mean: 1s, cv: 2}}"),
    "quantiles": Form(d.Quantiles, "{quantiles: {p50: 40ms, p90: 90ms, p99: 300ms, max: 2s}}"),
    "empirical": Form(d.Empirical, "{empirical: {file: times.csv, column: seconds}}"),
    "mixture": Form(
        d.Mixture, "{mixture: [{share: 99%, value: 10ms}, {share: 1%, value: {exponential: 1s}}]}"
    ),
}
_EXTRAS = {
    "shift": Spec("shift", DURATION, "added to every value", False, "0", None, lambda owner: owner.shift > 0),
    "cap": Spec(
        "cap", DURATION, "largest value, applied after the shift", False, None, None, lambda owner: True
    ),
}
DISTRIBUTION = DistributionKind(
    "Distribution",
    "a distribution",
    "a duration such as 80ms, or one of the forms such as {exponential: 50ms}",
    FORMS,
    _EXTRAS,
)
DISTRIBUTION.special = {
    d.Uniform: UniformKind(),
    d.Integers: IntegersKind(d.Integers),
    d.LogNormal: LogNormalKind(),
    d.Quantiles: QuantilesKind(),
    d.Empirical: EmpiricalKind(EmpiricalFile),
    d.Mixture: MixtureKind(),
}
