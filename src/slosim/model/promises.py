"""Flows through the system and the objectives promised for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slosim.model.fields import Broken, relation, spec
from slosim.model.kinds import DURATION, FREE_TEXT, SHARE, Count, OneOrMore, Reference

THRESHOLDS = ("within", "lag_below", "age_below")


@dataclass(frozen=True)
class Flow:
    """From the intended publish time of a producer's message to the last finish at `to`."""

    word = "flow"
    from_: str = spec(
        Reference("producers"), "producer whose messages start instances of the flow", key="from"
    )
    to: tuple[str, ...] = spec(
        OneOrMore(Reference("services")),
        "where an instance completes; messages that cannot reach it do not matter",
    )


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A promise: of a flow (latency with `within`, else success), or of a topic's lag or age."""

    word = "objective"
    name: str = spec(FREE_TEXT, "what people call it; unique")
    flow: str | None = spec(
        Reference("flows"),
        "flow that is judged; without flows, each producer has one of its name",
        optional=True,
    )
    topic: str | None = spec(Reference("topics"), "topic whose line is judged", optional=True)
    consumer: str | None = spec(
        Reference("services"),
        "service whose line is judged; with one consumer of the topic it is that one",
        optional=True,
    )
    within: float | None = spec(
        DURATION, "with flow: an instance is good if it takes at most that long", optional=True
    )
    lag_below: int | None = spec(Count(1), "with topic: a sample is good if the lag is below", optional=True)
    age_below: float | None = spec(
        DURATION.above_zero(),
        "with topic: a sample is good if the oldest message of the lag is younger",
        optional=True,
    )
    target: float = spec(SHARE.above_zero(), "share of instances or samples that must be good")
    window: float = spec(DURATION.above_zero(), "period whose error budget is spent", default="30d")

    @property
    def kind(self) -> str:
        """latency, success, lag or age."""
        if self.flow is not None:
            return "success" if self.within is None else "latency"
        return "age" if self.age_below is not None else "lag"

    @property
    def threshold(self) -> float | None:
        """Seconds for latency and age, messages for lag, None for success."""
        return next((value for name in THRESHOLDS if (value := getattr(self, name)) is not None), None)

    @relation("flow", "topic", "consumer", *THRESHOLDS)
    def judges_one_thing(self, given: set[str]) -> Iterator[Broken]:
        forms = "flow, with or without within; or topic with lag_below or age_below"
        if not {"flow", "topic"} & given:
            yield Broken("", "the objective judges nothing: neither flow nor topic is given", forms)
        elif {"flow", "topic"} <= given:
            yield Broken("topic", "an objective judges a flow or a topic, not both", forms)
        elif "flow" in given:
            for name in sorted({"consumer", "lag_below", "age_below"} & given):
                yield Broken(name, f"{name} goes with topic, not with flow", forms)
        elif "within" in given:
            yield Broken(
                "within", "within goes with flow, not with topic", forms, "did you mean 'age_below'?"
            )
        elif {"lag_below", "age_below"} <= given:
            yield Broken(
                "age_below",
                "an objective has one threshold, got lag_below and age_below",
                "two objectives can judge both",
            )
        elif not {"lag_below", "age_below"} & given:
            yield Broken(
                "", "the objective has no threshold: neither lag_below nor age_below is given", forms
            )
