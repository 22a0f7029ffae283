"""The scenario language: golden errors, golden resolved forms, and what holds for all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import slosim.errors
from slosim.errors import ScenarioError
from slosim.model import REDRIVE_SUFFIX, Scenario, is_redrive, load, loads, schema, with_redrives
from speed import cost_s

SCENARIOS = Path(__file__).parent / "scenarios"
EXAMPLES = Path(__file__).parent.parent / "examples"
INVALID = sorted((SCENARIOS / "invalid").glob("*.yaml"))
VALID = sorted((SCENARIOS / "valid").glob("*.yaml"))
SMALL = """
name: orders
run: {duration: 2h}
topics: {orders: {}, payments: {}, payments.dlq: {}}
producers:
  checkout: {topic: orders, arrivals: {poisson: 12/s}}
services:
  intake: {consumes: orders, service_time: 40ms, emits: payments}
  payment: {consumes: payments, service_time: 80ms, dead_letter: payments.dlq}
faults:
  - {name: a=b, at: 30m, for: 5m, target: services.payment, effect: {outage: true}}
"""


def problems_of(text: str, **options) -> list[str]:
    with pytest.raises(ScenarioError) as raised:
        loads(text, **options)
    return str(raised.value).split("\n\n")


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


# --- goldens
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", INVALID, ids=names(INVALID))
def test_invalid_scenario_gives_its_golden_error(
    path: Path, update_goldens: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(path.parent)
    with pytest.raises(ScenarioError) as raised:
        load(path.name)
    found = str(raised.value) + "\n"

    golden = path.with_suffix(".error.txt")
    if update_goldens:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", INVALID, ids=names(INVALID))
def test_one_fault_gives_one_problem(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(path.parent)
    with pytest.raises(ScenarioError) as raised:
        load(path.name)

    assert len(raised.value.problems) == 1, str(raised.value)


@pytest.mark.parametrize("path", VALID, ids=names(VALID))
def test_valid_scenario_gives_its_golden_resolved_form(path: Path, update_goldens: bool):
    found = json.dumps(load(path).resolved(), indent=1, ensure_ascii=False) + "\n"

    golden = path.with_suffix(".resolved.json")
    if update_goldens:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", VALID, ids=names(VALID))
def test_resolving_twice_changes_nothing(path: Path):
    once = load(path)
    twice = Scenario.from_dict(once.resolved(), base=path.parent)

    assert twice == once
    assert twice.resolved() == once.resolved()
    assert twice.digest() == once.digest()


@pytest.mark.parametrize("path", VALID, ids=names(VALID))
def test_resolved_form_survives_json(path: Path):
    once = load(path)

    assert Scenario.from_dict(json.loads(json.dumps(once.resolved())), base=path.parent) == once


def test_every_invalid_file_has_a_golden_and_every_golden_a_file():
    for folder, ending in (("invalid", ".error.txt"), ("valid", ".resolved.json")):
        files = {path.stem for path in (SCENARIOS / folder).glob("*.yaml")}
        goldens = {path.name.removesuffix(ending) for path in (SCENARIOS / folder).glob(f"*{ending}")}

        assert files == goldens


def test_valid_files_use_every_field_of_the_schema():
    """A field that no valid file uses has no proof that it can be read."""
    used = "\n".join(path.read_text(encoding="utf-8") for path in VALID)
    for name, definition in schema()["$defs"].items():
        for field in definition.get("properties", {}):
            assert f"{field}:" in used, f"no valid scenario uses {field} of {name}"


@pytest.mark.parametrize("path", VALID, ids=names(VALID))
def test_valid_scenarios_satisfy_the_json_schema(path: Path):
    from jsonschema import Draft202012Validator
    from ruamel.yaml import YAML

    validator = Draft202012Validator(schema())
    validator.check_schema(schema())
    as_written = YAML(typ="safe", pure=True).load(path)

    for document in (as_written, load(path).resolved()):
        assert [error.message for error in validator.iter_errors(document)] == []


# --- all mistakes at once
# --------------------------------------------------------------------------------------------


def test_all_mistakes_are_listed_in_the_order_of_the_file():
    text = (
        SMALL.replace("12/s", "a dozen").replace("40ms", "40 ms").replace("emits: payments", "emits: paymnts")
    )
    found = problems_of(text.replace("at: 30m", "at: 3h"), name="orders.yaml")

    assert [problem.split(": ")[0] for problem in found] == [
        "orders.yaml:6 producers.checkout.arrivals.poisson",
        "orders.yaml:8 services.intake.service_time",
        "orders.yaml:8 services.intake.emits",
        "orders.yaml:11 faults[a=b].at",
    ]


def test_a_problem_says_where_what_what_is_accepted_and_what_was_meant():
    assert problems_of(SMALL.replace("emits: payments", "emits: paymnts"), name="orders.yaml") == [
        "orders.yaml:8 services.intake.emits: topic 'paymnts' is not declared\n"
        "    declared topics: orders, payments, payments.dlq\n"
        "    did you mean 'payments'?"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 30_000,
        "- " * 60_000,
        "a: &a [x, x, x]\n" + "b: [" + "*a, " * 30_000 + "]",
        "name: " + "x" * 10_000_000,
        'name: "' + "x\n" * 60_000,
        "&a " * 40_000,
        "".join(f"k{index}: {{a: 1}}\n" for index in range(8_000)),
        "topics:\n"
        + "".join(f"  t{index}: {{}}\n" for index in range(2_000))
        + "services:\n"
        + "".join(f"  s{index}: {{consumes: x{index}}}\n" for index in range(1_500)),
    ],
    ids=[
        "lists",
        "braces",
        "dashes",
        "aliases",
        "long",
        "quoted lines",
        "anchors",
        "many keys",
        "unknown names",
    ],
)
def test_hostile_text_is_refused_quickly(text: str):
    """In at most 400 times what the orders example needs (7 ms): up to 90 times were measured."""
    usual_s = cost_s(lambda: load(EXAMPLES / "orders.yaml"), times=3)
    found: list[str] = []
    hostile_s = cost_s(lambda: found.extend(problems_of(text)))

    assert len("\n".join(found)) < 20_000_000
    assert found
    assert hostile_s < 400 * usual_s


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path):
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)
    with pytest.raises(ScenarioError, match="too large, got 3,000,000,000 bytes"):
        load(path)


def test_a_folder_a_device_and_a_missing_file_are_refused(tmp_path: Path):
    (tmp_path / "orders.yaml").write_text(SMALL)
    with pytest.raises(ScenarioError, match="is a folder, not a scenario file"):
        load(tmp_path)
    with pytest.raises(ScenarioError, match="is a device or a pipe"):
        load("/dev/zero")
    with pytest.raises(ScenarioError, match=r"no such file\n    did you mean '.*orders.yaml'"):
        load(tmp_path / "order.yaml")
    with pytest.raises(ScenarioError, match="no such file\n    there is no folder"):
        load(tmp_path / "missing" / "order.yaml")


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path):
    path = tmp_path / "orders.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())

    assert load(path) == loads(SMALL)


def test_lines_of_fields_are_known():
    scenario = loads(SMALL)

    assert scenario.source.line("services.payment.service_time") == 9
    assert scenario.source.line("services.payment.instances") is None


# --- defaults
# --------------------------------------------------------------------------------------------------------


def test_default_flow_goes_to_the_last_services_and_not_along_dead_letters():
    text = SMALL.replace("faults:", "  undertaker: {consumes: payments.dlq, service_time: 1s}\nfaults:")

    assert loads(text).flows["checkout"].to == ("payment",)


def test_default_flow_into_a_cycle_without_exit_ends_at_all_its_services():
    text = SMALL.replace("service_time: 80ms,", "service_time: 80ms, emits: orders,")

    assert loads(text).flows["checkout"].to == ("intake", "payment")


def test_default_flow_of_a_cycle_with_an_exit_ends_behind_it():
    text = SMALL.replace("service_time: 80ms,", "service_time: 80ms, emits: [orders, done],").replace(
        "topics: {", "topics: {done: {}, "
    )
    text = text.replace("faults:", "  finish: {consumes: done, service_time: 1s}\nfaults:")

    assert loads(text).flows["checkout"].to == ("finish",)


def test_a_producer_to_a_topic_nobody_consumes_has_no_flow():
    assert loads(SMALL.replace("checkout: {topic: orders", "checkout: {topic: payments.dlq")).flows == {}


def test_a_circuit_breaker_looks_at_its_whole_window_where_that_is_small():
    text = SMALL.replace("service_time: 80ms", "service_time: 80ms, circuit_breaker: {window: %d}")

    for window, minimum in ((20, 20), (100, 100), (500, 100)):
        assert loads(text % window).services["payment"].circuit_breaker.minimum_calls == minimum


def test_the_target_of_an_autoscaler_has_the_unit_of_its_metric():
    text = SMALL.replace(
        "service_time: 80ms", "service_time: 80ms, autoscale: {metric: %s, target: %s, maximum: 3}"
    )

    for metric, target, value in (("lag", "1000", 1000), ("age", "1m", 60), ("utilisation", "70%", 0.7)):
        scenario = loads(text % (metric, target))
        assert scenario.services["payment"].autoscale.target == value
        assert scenario.resolved()["services"]["payment"]["autoscale"]["target"] in (target, value)


def test_a_random_fault_has_no_occurrences_known_in_advance():
    scenario = loads(SMALL.replace("at: 30m, for: 5m", "random: {mtbf: 1h, mttr: 5m}"))
    planned = loads(SMALL).faults[0]

    assert scenario.faults[0].is_random
    assert scenario.faults[0].occurrences(7200) == []
    assert not planned.is_random
    assert planned.occurrences(7200) == [(1800, 2100)]


def test_a_flow_may_use_a_redrive():
    text = SMALL.replace("topics: {", "topics: {repairs: {}, ").replace(
        "faults:", "  repair: {consumes: repairs, service_time: 1s}\nfaults:"
    )
    effect = "{redrive: {to: repairs, rate: 1/s}}"
    redriven = f"  - {{name: r, at: 1h, for: 5m, target: topics.payments.dlq, effect: {effect}}}\n"
    flow = "flows: {repaired: {from: checkout, to: repair}}\n"

    assert loads(text + redriven + flow).flows["repaired"].to == ("repair",)
    assert "no message of checkout can reach repair" in problems_of(text + flow)[0]


# --- redrives
# --------------------------------------------------------------------------------------------------------

REDRIVEN = (
    SMALL
    + """\
  - name: again
    at: 1h
    for: 5m
    target: topics.payments.dlq
    effect: {redrive: {to: payments, rate: 50/s}}
"""
)


def test_a_redrive_is_a_hidden_service_behind_all_others():
    scenario = loads(REDRIVEN)
    whole = with_redrives(scenario)
    hidden = whole.services["payments.dlq" + REDRIVE_SUFFIX]

    assert list(whole.services) == ["intake", "payment", "payments.dlq/redrive"]
    assert [name for name in whole.services if is_redrive(name)] == ["payments.dlq/redrive"]
    assert (hidden.consumes, hidden.instances, hidden.concurrency) == (("payments.dlq",), 1, 1)
    assert [emit.topic for emit in hidden.emits] == ["payments"]
    assert (hidden.rate_limit.rate, hidden.rate_limit.burst) == (50, 1)
    assert hidden.service_time.maximum() == 0
    assert hidden.failures.probability == 0
    assert whole.faults == scenario.faults
    assert whole.flows == scenario.flows
    assert list(scenario.services) == ["intake", "payment"], "the scenario itself does not change"


def test_without_redrives_nothing_is_added():
    scenario = loads(SMALL)

    assert with_redrives(scenario) is scenario


# --- paths
# -----------------------------------------------------------------------------------------------------------


def test_replace_changes_one_value_and_what_follows_from_it():
    scenario = loads(SMALL)
    longer = scenario.replace({"run.duration": "4h", "services.payment.instances": 6})

    assert (longer.run.duration, longer.run.sample_every) == (14400, 14.4)
    assert longer.services["payment"].instances == 6
    assert scenario.run.duration == 7200
    assert scenario.services["payment"].instances == 1


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("topics.payments.dlq.capacity=5", "topics.payments.dlq.capacity", 5),
        ("topics.payments.capacity=5", "topics.payments.capacity", 5),
        ("faults[a=b].at=10m", "faults.0.at", 600),
        ("faults[0].at=10m", "faults.0.at", 600),
        ("faults[*].at=10m", "faults.0.at", 600),
        ("services.*.instances=3", "services.intake.instances", 3),
        ("services.payment.retry={maximum_attempts: 3}", "services.payment.retry.maximum_attempts", 3),
        ("services.payment.retry.maximum_attempts=3", "services.payment.retry.maximum_attempts", 3),
        ("run.seed=7", "run.seed", 7),
        (
            "services.payment.autoscale={metric: lag, target: 5, maximum: 3}",
            "services.payment.autoscale.maximum",
            3,
        ),
        ("services.payment.shed.wait_over=5s", "services.payment.shed.wait_over", 5),
    ],
)
def test_override(override: str, path: str, value: object):
    part: object = loads(SMALL, overrides=[override])
    for name in path.replace("payments.dlq", "payments/dlq").split("."):
        name = name.replace("/", ".")
        part = (
            part[name]
            if isinstance(part, dict)
            else part[int(name)]
            if isinstance(part, tuple)
            else getattr(part, name)
        )

    assert part == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "services.paymnt.instances=6",
            "service 'paymnt' is not declared\n    declared services: intake, payment\n    did you mean "
            "'payment'?",
        ),
        ("services.payment.instancs=6", "--set services.payment.instancs: service has no such field"),
        (
            "services.payment.instances=0",
            "--set services.payment.instances: expected an integer of at least 1, got 0",
        ),
        ("services.payment.instances", "expected path=value, got no '='"),
        ("services.payment.instances=", "expected a value behind '=', got nothing"),
        ("faults[b].at=1m", "no item is named 'b'\n    names: 'a=b'"),
        ("faults[3].at=1m", "there is no item 3\n    items: 0 to 0"),
        ("faults.at=1m", "a list item is addressed by [index] or [name]"),
        ("run.*=1m", "* matches names of topics, producers, services, dependencies and flows only"),
        ("dependencies.gateway.capacity=5", "dependency 'gateway' is not declared"),
        ("services.payment.service_time.mean=1s", "has no fields, got 80ms"),
        ("services.payment.service_time={exponential:1s}", "did you mean 'exponential: 1s'?"),
    ],
)
def test_wrong_override(override: str, message: str):
    with pytest.raises(ScenarioError) as raised:
        loads(SMALL, overrides=[override])

    assert message in str(raised.value)


def test_an_override_reaches_one_place_of_an_alias():
    text = SMALL.replace("service_time: 40ms", "service_time: &t {exponential: 40ms}").replace("80ms", "*t")
    changed = loads(text, overrides=["services.payment.service_time.exponential=1s"])

    assert changed.services["payment"].service_time.mean() == 1
    assert changed.services["intake"].service_time.mean() == 0.04


# --- in code
# ---------------------------------------------------------------------------------------------------------


def test_a_scenario_built_in_code_equals_the_one_read():
    built = Scenario(
        name="orders",
        run={"duration": 7200},
        topics={"orders": {}, "payments": {}, "payments.dlq": {}},
        producers={"checkout": {"topic": "orders", "arrivals": {"poisson": 12.0}}},
        services={
            "intake": {"consumes": "orders", "service_time": 0.04, "emits": ["payments"]},
            "payment": {"consumes": ["payments"], "service_time": "80ms", "dead_letter": "payments.dlq"},
        },
        faults=[
            {"name": "a=b", "at": "30m", "for": 300, "target": "services.payment", "effect": {"outage": True}}
        ],
    )

    assert built == loads(SMALL)
    assert built.digest() == loads(SMALL).digest()


def test_mistakes_in_code_name_the_path():
    with pytest.raises(ScenarioError) as raised:
        Scenario(name="x", run={"duration": None}, topics={"a": {}}, producers={})
    assert "<scenario> run.duration: cannot read a value of type NoneType" in str(raised.value)

    with pytest.raises(ScenarioError) as raised:
        Scenario(name="x", run={"duration": -1}, topics={"a": {}}, producers={"p": {"topic": "b"}})
    assert [problem.path for problem in raised.value.problems] == [
        "run.duration",
        "producers.p.topic",
        "producers.p",
    ]


def test_a_scenario_does_not_change():
    scenario = loads(SMALL)
    with pytest.raises(AttributeError):
        scenario.name = "other"
    with pytest.raises(AttributeError):
        scenario.services["payment"].instances = 3


def test_digest_covers_values_and_the_content_of_files(tmp_path: Path):
    (tmp_path / "t.csv").write_text("s\n1\n2\n")
    text = SMALL.replace("80ms", "{empirical: {file: t.csv, column: s}}")
    before = loads(text, base=tmp_path).digest()
    assert loads(text, base=tmp_path).digest() == before

    (tmp_path / "t.csv").write_text("s\n2\n1\n1.5\n")
    assert loads(text, base=tmp_path).digest() != before
    assert loads(SMALL).digest() != loads(SMALL.replace("80ms", "81ms")).digest()
    assert loads(SMALL).digest() == loads(SMALL.replace("80ms", "0.08")).digest()


def test_the_model_imports_no_numerical_package():
    code = (
        "import sys, slosim.model; print([m for m in ('numpy', 'scipy', 'numba', 'ruamel.yaml') if m in "
        "sys.modules])"
    )
    source = str(Path(slosim.errors.__file__).parents[1])
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=source
    )

    assert found.stdout.strip() == "[]"


# --- documentation
# ---------------------------------------------------------------------------------------------------


def test_the_reference_is_current(update_goldens: bool):
    from slosim.model.reference import reference

    page = Path(__file__).parents[1] / "docs" / "scenario.md"
    if update_goldens:
        page.write_text(reference(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == reference()


def test_every_example_of_the_reference_is_accepted():
    """Put into a scenario, the examples are valid, or fail only for the files they name."""
    from slosim.model import arrivals, distribution_kind

    for form in distribution_kind.FORMS.values():
        _accepted(SMALL.replace("80ms", form.example))
    for form in arrivals.FORMS.values():
        _accepted(SMALL.replace("{poisson: 12/s}", form.example))


def test_the_scenario_at_the_top_of_the_reference_is_valid():
    from slosim.model.reference import reference

    text = reference().split("```yaml\n")[1].split("```")[0]

    assert loads(text).objectives[0].flow == "checkout"


@pytest.mark.parametrize(
    ("arrivals", "place"),
    [
        ("{poisson: 1e300/s}", "producers.checkout.arrivals.poisson"),
        ("{poisson: 139e6/s}", "producers.checkout.arrivals.poisson"),
        ("{every: 1e-300s}", "producers.checkout.arrivals.every"),
        ("{interarrival: {exponential: 1e-200s}}", "producers.checkout.arrivals.interarrival"),
        ("{bernoulli: {probability: 50%, every: 1e-9s}}", "producers.checkout.arrivals.bernoulli"),
        ("{bursts: {rate: 1e15/s, on: 1s, off: 9s}}", "producers.checkout.arrivals.bursts"),
        (
            "{every: 1s, profile: [{at: 0s, factor: 1e308}, {at: 1m, factor: 0}]}",
            "producers.checkout.arrivals.every",
        ),
    ],
)
def test_a_rate_that_no_run_would_see_the_end_of_is_refused(arrivals: str, place: str):
    """The run lasts two hours, so 1e12 messages are 138.9 million a second."""
    with pytest.raises(ScenarioError) as raised:
        loads(SMALL.replace("{poisson: 12/s}", arrivals))
    [problem] = raised.value.problems
    assert problem.path == place
    assert "messages in the 2h of a run" in problem.what
    loads(SMALL.replace("{poisson: 12/s}", "{poisson: 138e6/s}"))


def test_a_fault_may_not_raise_a_rate_beyond_what_a_run_can_end():
    fault = {
        "name": "f",
        "target": "producers.checkout",
        "at": "1h",
        "for": "1m",
        "effect": {"rate_factor": "1e300x"},
    }
    with pytest.raises(ScenarioError, match=r"faults\[.*\]\.effect\.rate_factor: about 8\.64e\+304 messages"):
        loads(SMALL).replace({"faults": [fault]})


def _accepted(text: str) -> None:
    try:
        loads(text)
    except ScenarioError as error:
        if not all("no such file" in problem.what for problem in error.problems):
            raise
