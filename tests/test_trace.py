"""The sample of messages, and the trace that is made of it, on the real engine."""

from __future__ import annotations

import json
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import slosim
from comparison import EXACT, scenario_of
from slosim.engine.reference import simulate
from slosim.engine.sample import SLOWEST, sample
from slosim.errors import UserError
from slosim.measure.sample import Attempt, Message, MessageSample
from slosim.model import Scenario, loads
from slosim.outputs.trace import trace_of
from slosim.report import Report
from slosim.report.reference import SAMPLE
from slosim.report.sample import sample_entry
from slosim.simulation import Progress
from test_cli import SMALL, written
from test_cli import slosim as command
from test_report import DOCS, paths_of

EXAMPLES = sorted((DOCS.parent / "examples").glob("*.yaml"))
EVERYTHING = 10**9
"""A sample of so many is of all messages."""


def scenario(text: str, until: str = "20s") -> Scenario:
    head = f"name: t\nrun: {{duration: {until}, replications: 1, sample_every: 1s}}\n"
    return loads(head + textwrap.dedent(text))


def data_of(given: Scenario, most: int = EVERYTHING) -> dict[str, Any]:
    """Of a report the parts that a trace is made of."""
    run = {"version": "0", "seed": given.run.seed, "duration_s": given.run.duration}
    return {
        "scenario": {"name": given.name, "resolved": given.resolved()},
        "run": run,
        "sample": sample_entry(given, sample(given, most=most)),
    }


def attempts_of(sampled: MessageSample) -> Iterator[tuple[str, Message, Attempt]]:
    for journey in sampled.journeys:
        for message in journey.messages:
            for attempt in message.attempts:
                assert message.service is not None
                yield message.service, message, attempt


def story_of(given: Scenario, service: str = "s") -> list[Message]:
    """All messages in the lines of a service, by producer and number."""
    sampled = sample(given, most=EVERYTHING)
    return [one for journey in sampled.journeys for one in journey.messages if one.service == service]


def told(message: Message) -> list[tuple]:
    """(number, slot, taken, ended, freed, outcome) of its attempts."""
    return [
        (one.number, one.slot, one.taken_s, one.ended_s, one.freed_s, one.outcome) for one in message.attempts
    ]


# ---- slots -------------------------------------------------------------------------------------------------


def occupations(sampled: MessageSample) -> dict[tuple, list[tuple[float, float]]]:
    """When each slot was held, by (service, instance, slot); what a batch holds together is one."""
    found = defaultdict(set)
    end_s = sampled.measurements.ended_s
    for service, _, one in attempts_of(sampled):
        freed_s = end_s if one.freed_s is None else one.freed_s
        found[service, one.instance, one.slot].add((one.taken_s, freed_s))
    return {place: sorted(spans) for place, spans in found.items()}


@pytest.mark.parametrize("seed", [*range(1000, 1040), *range(5000, 5080), 5512, 5643, 5815])
def test_slots_are_true_to_the_run(seed: int):
    """No slot is held twice at once, lower ones were busy when it was taken, none is above the concurrency,
    and together they are as busy as the engine counts."""
    given = scenario_of(seed).replace({"run.warmup": 0.0})
    sampled = sample(given, most=EVERYTHING)
    busy_s: dict[str, float] = defaultdict(float)
    held = occupations(sampled)
    for (service, instance, slot), spans in held.items():
        for (_, until), (since, _) in pairwise(spans):
            assert until <= since, (service, instance, slot)
        busy_s[service] += sum(until - since for since, until in spans)
        rules = given.services.get(service)
        if rules is None:  # of a redrive
            continue
        if not rules.has_blocking_retry:  # it waits in its slot, whichever is free
            for lower, (taken_s, _) in product(range(slot), spans):
                assert any(since <= taken_s <= until for since, until in held[service, instance, lower])
        if rules.concurrency is not None:
            assert slot < rules.concurrency * (rules.instances if instance is None else 1)
        assert instance is None or instance < rules.instances_at_most
    attempts = Counter(service for service, *_ in attempts_of(sampled))
    for name, measured in sampled.measurements.services.items():
        assert busy_s[name] == pytest.approx(measured.busy.integral, rel=1e-9, abs=1e-6), name
        assert attempts[name] == measured.attempts, name


def test_abandoned_work_holds_its_slot():
    """Both time out after 1 s of 5 s of work: the retry of the first finds the third slot."""
    messages = story_of(
        scenario("""
        topics: {t: {}}
        producers: {p: {topic: t, arrivals: {every: 100s}, copies: 2}}
        services: {s: {consumes: t, concurrency: 3, service_time: 5s, timeout: 1s, on_timeout: abandon,
                       retry: {maximum_attempts: 2, initial_interval: 1s}}}
        """)
    )
    assert told(messages[0]) == [(1, 0, 0, 1, 5, "timed_out"), (2, 2, 2, 3, 7, "timed_out")]
    assert told(messages[1]) == [(1, 1, 0, 1, 5, "timed_out"), (2, 0, 5, 6, 10, "timed_out")]
    assert messages[1].waits_s == [(0, 0), (2, 5)]


def test_a_blocking_retry_waits_in_its_slot():
    """The slot of the first is held from 0 s to 6 s, though nothing is done from 1 s to 5 s."""
    messages = story_of(
        scenario("""
        topics: {t: {}}
        producers: {p: {topic: t, arrivals: {every: 3s}}}
        services: {s: {consumes: t, concurrency: 2, service_time: 1s, failures: 100%,
                       retry: {maximum_attempts: 2, initial_interval: 4s, blocking: true}}}
        """)
    )
    assert told(messages[0]) == [(1, 0, 0, 1, 5, "failed"), (2, 0, 5, 6, 6, "failed")]
    assert told(messages[1]) == [(1, 1, 3, 4, 8, "failed"), (2, 1, 8, 9, 9, "failed")]
    assert messages[0].back_offs_s == [(1, 5)]


def test_a_crash_frees_the_slots_of_its_instance():
    """At 1 s the only instance crashes, and is back at 3 s: the attempt is lost and begins anew."""
    (message,) = story_of(
        scenario("""
        topics: {t: {}}
        producers: {p: {topic: t, arrivals: {every: 100s}}}
        services: {s: {consumes: t, service_time: 2s}}
        faults: [{name: crash, at: 1s, for: 2s, target: services.s, effect: {crash: 1}}]
        """)
    )
    assert told(message) == [(1, 0, 0, 1, 1, "lost"), (2, 0, 3, 5, 5, "succeeded")]
    assert [one.instance for one in message.attempts] == [0, 0]
    assert message.waits_s == [(0, 0), (1, 3)]


def test_a_batch_shares_a_slot():
    given = scenario("""
        topics: {t: {}}
        producers: {p: {topic: t, arrivals: {every: 100s}, copies: 5}}
        services: {s: {consumes: t, concurrency: 2, service_time: 1s, batch: {max_messages: 2, wait: 1s}}}
        """)
    messages = story_of(given)
    assert [(one.attempts[0].slot, one.attempts[0].messages) for one in messages] == [
        (0, 2), (0, 2), (1, 2), (1, 2), (0, 1),
    ]  # fmt: skip
    slices = [one for one in events_of(data_of(given)) if one["ph"] == "X"]
    assert [one["name"] for one in slices] == ["batch of 2", "batch of 2", "p#4"]
    sampled = {f"p#{n} attempt 1": "succeeded" for n in (0, 1)}
    assert slices[0]["args"] == {"messages": 2, "in the sample": sampled}


# ---- journeys ----------------------------------------------------------------------------------------------


def test_a_journey_tells_where_the_time_goes():
    """Delayed to 1 s; #1 waits for #0; it fails at 5 s, comes back at 6 s, succeeds at 8 s, and its child is
    worked on from 8 s to 9 s."""
    given = scenario("""
        topics: {t: {delay: 1s}, u: {}}
        producers: {p: {topic: t, arrivals: {every: 100s}, copies: 2}}
        services:
          s: {consumes: t, service_time: 2s, retry: {maximum_attempts: 2, initial_interval: 1s}, emits: u}
          v: {consumes: u, service_time: 1s}
        faults: [{name: errors, at: 3s, for: 1s, target: services.s, effect: {error_rate: 100%}}]
        """)
    journey = sample(given, most=EVERYTHING).journeys[1]
    first, child = journey.messages
    assert (first.topic, first.published_s, first.visible_s) == ("t", 0, 1)
    assert told(first) == [(1, 0, 3, 5, 5, "failed"), (2, 0, 6, 8, 8, "succeeded")]
    assert (first.waits_s, first.back_offs_s) == ([(1, 3), (6, 6)], [(5, 6)])
    assert (first.left_s, first.outcome, first.parent) == (8, "succeeded", None)
    assert (child.service, child.topic, child.parent, child.attempt) == ("v", "u", 0, 2)
    assert told(child) == [(1, 0, 8, 9, 9, "succeeded")]


def test_dead_letters_and_losses():
    """#0 is worked on and fails for good; #1 waits; #2 is refused and goes to the topic's dead letters."""
    given = scenario(
        """
        topics: {t: {capacity: 1, dead_letter: full}, failed: {}, full: {}}
        producers: {p: {topic: t, arrivals: {every: 100s}, copies: 3}}
        services: {s: {consumes: t, service_time: 2s, failures: 100%, dead_letter: failed}}
        """,
        until="3s",
    )
    worked, waiting, refused = sample(given, most=EVERYTHING).journeys
    assert [(one.topic, one.service, one.outcome) for one in worked.messages] == [
        ("t", "s", "dead_lettered"), ("failed", None, "rested"),
    ]  # fmt: skip
    assert (worked.messages[1].parent, worked.messages[1].attempt) == (0, 1)
    assert told(waiting.messages[0]) == [(1, 0, 2, None, None, None)]
    assert waiting.messages[0].left_s is None
    assert [(one.topic, one.outcome, one.attempt) for one in refused.messages] == [
        ("t", "rejected", None), ("full", "rested", None),
    ]  # fmt: skip


def test_calls_are_inside_their_attempt():
    given = scenario("""
        topics: {t: {}}
        producers: {p: {topic: t, arrivals: {every: 100s}}}
        services:
          s: {consumes: t, service_time: 1s, calls: [{dependency: d}, {dependency: d, timeout: 1s}]}
        dependencies: {d: {capacity: 1, service_time: 2s}}
        """)
    (message,) = story_of(given)
    assert [(one.began_s, one.ended_s, one.outcome) for one in message.attempts[0].calls] == [
        (1, 3, "answered"), (3, 4, "timed_out"),
    ]  # fmt: skip
    slices = [(one["name"], one["ts"], one["dur"]) for one in events_of(data_of(given)) if one["ph"] == "X"]
    assert slices == [
        ("p#0 failed", 0, 4_000_000),
        ("call d", 1_000_000, 2_000_000),
        ("call d timed out", 3_000_000, 1_000_000),
    ]


def test_duplicates_and_joins():
    """The visibility time-out hands the message out again at 2 s: both attempts end well, one is a duplicate.
    Its two children (of the attempt that settled it) are joined."""
    given = scenario("""
        topics: {t: {}, u: {}, v: {}}
        producers: {p: {topic: t, arrivals: {every: 100s}}}
        services:
          s: {consumes: t, concurrency: 2, service_time: 3s, visibility_timeout: 2s,
              emits: [{topic: u}, {topic: v, delay: 1s}]}
          j: {consumes: [u, v], join: true, service_time: 1s}
        """)
    first, *children = sample(given, most=EVERYTHING).journeys[0].messages
    assert told(first) == [(1, 0, 0, 3, 3, "succeeded"), (2, 1, 2, 5, 5, "duplicate")]
    assert [(one.topic, one.parent, one.attempt, one.outcome) for one in children] == [
        ("u", 0, 1, "succeeded"), ("v", 0, 1, "joined"),
    ]  # fmt: skip
    assert (children[0].waits_s, children[1].left_s) == ([(3, 4), (4, 4)], 4)


def test_the_parts_of_a_message_add_up():
    """Delay, waits, attempts and back-offs of what has settled are the time from published to settled."""
    settled = 0
    for seed in range(1000, 1030):
        for journey in sample(scenario_of(seed), most=EVERYTHING).journeys:
            for message in journey.messages:
                if message.left_s is None or message.visible_s is None:
                    continue
                spans = [*message.waits_s, *message.back_offs_s]
                spans += [(one.taken_s, one.ended_s) for one in message.attempts]
                total = message.visible_s - message.published_s + sum(until - since for since, until in spans)
                assert total == pytest.approx(message.left_s - message.published_s, abs=1e-9), (seed, message)
                settled += 1
    assert settled > 1000


@pytest.mark.parametrize("seed", [1003, 1010, 5001, 5007, 5020])
def test_every_message_has_its_parent(seed: int):
    """All but those of producers come from a message that left before, through a topic of the file."""
    given = scenario_of(seed)
    for journey in sample(given, most=EVERYTHING).journeys:
        for index, message in enumerate(journey.messages):
            assert message.topic in given.topics
            if message.parent is None:
                assert message.topic == given.producers[journey.producer].topic
            else:
                assert message.published_s >= journey.messages[message.parent].published_s
                assert message.parent != index


# ---- which ones --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1001, 1004, 1012, 1025])
def test_the_slowest_are_those_of_the_reference(seed: int):
    given = scenario_of(seed, EXACT)
    sampled = sample(given, most=3)
    for flow in given.flows:
        latencies = sorted(
            (
                one.latency_s
                for one in simulate(given).flow_instances
                if one.flow == flow and one.state == "completed" and one.start_s >= given.run.warmup
            ),
            reverse=True,
        )
        slowest = [one.latency_s[flow] for one in sampled.journeys if flow in one.slowest_of]
        assert sorted(slowest, reverse=True) == pytest.approx(latencies[:SLOWEST], rel=1e-6)


def test_every_nth_message_is_taken_and_never_too_many():
    given = scenario("""
        topics: {t: {}}
        producers: {p: {topic: t, arrivals: {every: 100ms}}, q: {topic: t, arrivals: {every: 200ms}}}
        services: {s: {consumes: t, concurrency: unlimited, service_time: 1ms}}
        """)
    sampled = sample(given, most=70)
    assert sampled.every == 5  # of 200 and 100
    regular = [("p", number) for number in range(0, 200, 5)] + [("q", number) for number in range(0, 100, 5)]
    taken = {(one.producer, one.number): one.slowest_of for one in sampled.journeys}
    assert {*regular} <= taken.keys()
    assert all(taken[other] for other in taken.keys() - regular)
    assert sample(given, most=60).every == 5
    assert sample(given, most=59).every == 6


def test_a_run_in_which_nothing_happens_has_a_sample_of_nothing():
    given = scenario("""
        topics: {t: {}}
        producers: {p: {topic: t, arrivals: {interarrival: 100s}}}
        services: {s: {consumes: t, service_time: 1ms}}
        """)
    data = data_of(given)
    assert data["sample"]["journeys"] == []
    assert {one["ph"] for one in events_of(data)} == {"C"}


def test_without_services_messages_rest():
    data = data_of(
        scenario("""
        topics: {t: {}}
        producers: {p: {topic: t, arrivals: {every: 10s}}}
        services: {}
        """)
    )
    assert data["sample"]["journeys"]
    for one in data["sample"]["journeys"]:
        assert [its["outcome"] for its in one["messages"]] == ["rested"]
    events_of(data)


# ---- the trace ---------------------------------------------------------------------------------------------


def events_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a trace, without its names; all that a viewer relies on holds."""
    trace = json.loads(trace_of(data), parse_constant=lambda word: pytest.fail(word))
    events = trace["traceEvents"]
    names = [one for one in events if one["ph"] == "M"]
    timed = events[len(names) :]
    assert events[: len(names)] == names
    processes = {one["pid"] for one in names if one["name"] == "process_name"}
    threads = {one["tid"]: one["pid"] for one in names if one["name"] == "thread_name"}
    assert not processes & threads.keys()
    last = 0
    for one in timed:
        assert one["pid"] in processes
        assert {"X": 1, "s": 1, "f": 1}.get(one["ph"]) is None or threads[one["tid"]] == one["pid"]
        for key in {"ts", "dur"} & one.keys():
            assert int(one[key] * 1000) == round(one[key] * 1000)  # the same ns cut as rounded
        assert last <= ns(one["ts"]) <= round(data["run"]["duration_s"] * 1e9)
        last = ns(one["ts"])
    check_slices(timed)
    check_asynchronous(timed)
    return timed


def ns(us: float) -> int:
    return round(us * 1000)


def check_slices(events: list[dict[str, Any]]) -> None:
    """Slices of a thread lie beside or inside each other; arrows begin inside one, end where one begins."""
    open_until: dict[int, list[tuple[int, int]]] = defaultdict(list)
    arrows: dict[int, int] = {}
    for one in events:
        stack, at = open_until[one.get("tid", 0)], ns(one["ts"])
        if one["ph"] == "X":
            end = at + ns(one["dur"])
            while stack and stack[-1][1] <= at:
                stack.pop()
            assert not stack or end <= stack[-1][1], one
            stack.append((at, end))
        elif one["ph"] == "s":
            assert any(since <= at <= until for since, until in stack), one
            arrows[one["id"]] = at
        elif one["ph"] == "f":
            assert any(since == at for since, _ in stack), one
            assert arrows.pop(one["id"]) <= at
    assert arrows == {}


def check_asynchronous(events: list[dict[str, Any]]) -> None:
    """Of each kind and id one after the other, each with its end."""
    going: dict[tuple[str, str], int] = {}
    for one in events:
        if one["ph"] == "b":
            assert (one["cat"], one["id"]) not in going
            going[one["cat"], one["id"]] = one["pid"]
        elif one["ph"] == "e":
            assert going.pop((one["cat"], one["id"])) == one["pid"]
    assert going == {}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_traces_of_the_examples(path: Path):
    data = data_of(slosim.load(path), most=100)
    kinds = Counter(one["ph"] for one in events_of(data))
    assert kinds["X"] > 100
    assert kinds["b"] > 10
    assert kinds["C"] == sum(len(line["t_s"]) for line in data["sample"]["lines"])
    flows = slosim.load(path).flows
    assert {flow for one in data["sample"]["journeys"] for flow in one["slowest_of"]} == {*flows}


@pytest.mark.parametrize("seed", [*range(1040, 1060), *range(5080, 5140)])
def test_traces_of_generated_scenarios(seed: int):
    events_of(data_of(scenario_of(seed)))


def test_a_trace_tells_what_a_reader_looks_for():
    given = scenario(
        """
        topics: {t: {delay: 1s}, u: {}}
        producers: {p: {topic: t, arrivals: {every: 100s}, copies: 2}}
        services:
          s: {consumes: t, service_time: 2s, retry: {maximum_attempts: 2, initial_interval: 1s}, emits: u}
          v: {consumes: u, service_time: 1s}
        faults: [{name: errors, at: 3s, for: 1s, target: services.s, effect: {error_rate: 100%}}]
        flows: {f: {from: p, to: v}}
        """
    )
    events = events_of(data_of(given))
    slices = [(one["name"], one["ts"] / 1e6, one["dur"] / 1e6) for one in events if one["ph"] == "X"]
    assert slices == [
        ("p#0", 1, 2), ("p#1 failed", 3, 2), ("p#0", 3, 1), ("errors", 3, 1), ("p#1", 6, 2), ("p#1", 8, 1),
    ]  # fmt: skip
    spans = Counter()
    for one in events:
        if one["ph"] in "be":
            spans[one["name"]] += one["ts"] * (1 if one["ph"] == "e" else -1) / 1e6
    assert spans == {"delay": 2, "wait": 2, "back-off": 1}
    last = next(one for one in events if one["ph"] == "X" and one["ts"] == 8e6)
    assert last["args"] == {
        "message": "p#1", "topic": "u", "attempt": 1, "outcome": "succeeded", "waited_s": 0.0,
        "among the slowest of": "f", "latency_s of f": 9.0,
    }  # fmt: skip
    assert sum(one["ph"] == "s" for one in events) == 2
    levels = [one["args"] for one in events if one["ph"] == "C" and one["name"] == "t"]
    assert levels[:3] == [{"lag": 2, "waiting": 0}, {"lag": 2, "waiting": 1}, {"lag": 2, "waiting": 1}]


def test_names_are_text_whatever_they_are():
    name = "</script>\"'\\ אבג {{7*7}} 🦄"
    given = scenario(f"""
        topics: {{t: {{}}}}
        producers: {{p: {{topic: t, arrivals: {{every: 1s}}}}}}
        services: {{s: {{consumes: t, service_time: 1s}}}}
        faults:
          - name: {json.dumps(name, ensure_ascii=False)}
            at: 1s
            for: 1s
            target: services.s
            effect: {{slowdown: 2x}}
        """)
    assert [one["name"] for one in events_of(data_of(given)) if one.get("cat") == "fault"] == [name]


# ---- in the report -----------------------------------------------------------------------------------------

RICH = """
topics: {t: {}, u: {}}
producers: {p: {topic: t, arrivals: {poisson: 5/s}}}
services:
  s: {consumes: t, service_time: 100ms, calls: [{dependency: d}], emits: u, failures: 5%}
  v: {consumes: u, concurrency: 2, service_time: {exponential: 200ms}}
dependencies: {d: {capacity: 1, service_time: 10ms}}
flows: {f: {from: p, to: v}}
faults: [{name: slow, at: 3s, for: 1s, target: services.s, effect: {slowdown: 2x}}]
"""


def test_a_sample_is_a_part_of_the_report_and_changes_no_other():
    given = scenario(RICH)
    report, without = slosim.run(given, sample=10), slosim.run(given)
    found = dict(report.data)
    taken = found.pop("sample")
    assert found == without.data
    assert taken["every"] == -(-len(slosim.run(given, sample=EVERYTHING).data["sample"]["journeys"]) // 10)
    again = Report.from_json(report.to_json())
    assert trace_of(again.data) == trace_of(report.data)
    assert events_of(again.data)
    schema = json.loads((DOCS / "report.schema.json").read_text())
    jsonschema.validate(json.loads(report.to_json()), schema)
    jsonschema.validate(json.loads(without.to_json()), schema)


def test_every_number_of_the_sample_is_documented():
    report = slosim.run(scenario(RICH), sample=EVERYTHING)
    found = paths_of({"sample": report.data["sample"]}, {"sample.journeys[].latency_s"})
    empty = {  # somewhere
        f"sample.journeys[].{path}"
        for path in ("latency_s", "messages[].attempts", "messages[].attempts[].calls")
    }
    assert found - empty | {"sample.stopped"} == {entry.path for entry in SAMPLE}


def test_a_sample_that_is_interrupted_leaves_a_whole_report():
    def interrupt(progress: Progress) -> None:
        if progress.doing:
            raise KeyboardInterrupt

    report = slosim.run(scenario(RICH), sample=10, progress=interrupt)
    assert report.complete
    assert report.data["sample"] == {"stopped": "interrupted"}
    jsonschema.validate(json.loads(report.to_json()), json.loads((DOCS / "report.schema.json").read_text()))
    with pytest.raises(UserError, match=r"no sample of messages: .*interrupted.*--trace"):
        trace_of(report.data)


def test_what_has_no_sample_is_refused():
    with pytest.raises(UserError, match=r"no sample of messages; simulate again with --trace"):
        trace_of(slosim.run(scenario(RICH)).data)
    with pytest.raises(UserError, match="sample 0: expected how many"):
        slosim.run(scenario(RICH), sample=0)


def test_the_command_writes_a_trace_and_so_does_a_saved_report(tmp_path: Path):
    written(tmp_path, SMALL)
    ran = command("run", "scenario.yaml", "-q", "--trace", "t.json", "--json", "r.json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert events_of(json.loads((tmp_path / "r.json").read_text()))
    again = command("report", "r.json", "-q", "--trace", "again.json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "t.json").read_bytes()
    assert command("run", "scenario.yaml", "-q", "--json", "r.json", cwd=tmp_path).returncode == 0
    refused = command("report", "r.json", "--trace", "none.json", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "simulate again with --trace" in refused.stderr
    several = command("report", "r.json", "r.json", "--trace", "none.json", cwd=tmp_path)
    assert (several.returncode, several.stdout) == (2, "")
    assert "--trace is for one report" in several.stderr
    assert not (tmp_path / "none.json").exists()
