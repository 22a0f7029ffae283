"""Objectives as OpenSLO v1 and back: held against the standard in words of our own, and every refusal."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import slosim
from slosim.model.openslo import labels_of
from slosim.outputs.openslo import openslo_of
from test_cli import ENVIRONMENT, SMALL

ROOT = Path(__file__).parent.parent
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DURATION = re.compile(r"[1-9][0-9]*[mhdwMQY]")
SYSTEM = """
name: Shop & more
description: What we sell.
run: {duration: 10m, replications: 2}
topics: {jobs: {}}
producers: {p: {topic: jobs, arrivals: {poisson: 2/s}}}
services: {s: {consumes: jobs, service_time: {exponential: 100ms}}}
objectives:
  - {name: In time, flow: p, within: 1m30s, target: 97.5%}
  - {name: none lost, flow: p, target: 99.99%, window: 7d}
  - {name: keeps up, topic: jobs, lag_below: 300, target: 0.98, window: 12h}
  - {name: fresh, topic: jobs, age_below: 250ms, target: 95%, window: 90m}
"""


@pytest.fixture(scope="module")
def shop() -> slosim.Scenario:
    return slosim.loads(SYSTEM)


def read(text: str, version: tuple[int, int] = (1, 2)) -> list[dict]:
    """The documents, after the checks that the standard makes of each."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = version
    documents = list(yaml.load_all(text))
    names = [(one["kind"], one["metadata"]["name"]) for one in documents]
    assert len(set(names)) == len(names)
    for one in documents:
        assert list(one) == ["apiVersion", "kind", "metadata", "spec"]
        assert one["apiVersion"] == "openslo/v1"
        assert_metadata(one["metadata"])
        assert len(one["spec"].get("description", "")) <= 1050
        if one["kind"] == "SLO":
            assert_slo(one["spec"])
            assert ("Service", one["spec"]["service"]) in names
        else:
            assert one["kind"] == "Service"
            assert set(one["spec"]) <= {"description"}
    return documents


def assert_metadata(metadata: dict) -> None:
    assert set(metadata) <= {"name", "displayName", "labels", "annotations"}
    assert LABEL.fullmatch(metadata["name"])
    assert isinstance(metadata.get("displayName", "-"), str)
    assert 0 < len(metadata.get("displayName", "-")) <= 63


def assert_slo(spec: dict) -> None:
    needed = {"service", "indicator", "budgetingMethod", "objectives"}
    assert needed <= set(spec) <= needed | {"description", "timeWindow", "alertPolicies"}
    assert spec["budgetingMethod"] == "Occurrences"
    assert_metadata(spec["indicator"]["metadata"])
    indicator = spec["indicator"]["spec"]
    assert set(indicator) in ({"ratioMetric"}, {"thresholdMetric"})
    for window in spec.get("timeWindow", []):
        assert set(window) == {"duration", "isRolling"}
        assert DURATION.fullmatch(window["duration"])
        assert window["isRolling"] is True
    assert len(spec.get("timeWindow", [0])) == 1
    for objective in spec["objectives"]:
        assert 0 <= objective["target"] < 1
        assert isinstance(objective["displayName"], str)
        assert ({"op", "value"} <= set(objective)) == ("thresholdMetric" in indicator)
    ratio = indicator.get("ratioMetric")
    if ratio:
        assert isinstance(ratio["counter"], bool)
        assert set(ratio) == {"counter", "good", "total"}
    sources = [ratio["good"], ratio["total"]] if ratio else [indicator["thresholdMetric"]]
    for source in sources:
        assert set(source) == {"metricSource"}
        assert isinstance(source["metricSource"]["type"], str)
        assert isinstance(source["metricSource"]["spec"]["query"], str)


def slos(text: str) -> dict[str, dict]:
    """Specs by the whole name of their objective."""
    return {
        one["spec"]["objectives"][0]["displayName"]: one["spec"] for one in read(text) if one["kind"] == "SLO"
    }


def wrong(tmp_path: Path, scenario: slosim.Scenario, text: str) -> str:
    """What is said of a file that cannot be used, the file called F."""
    path = tmp_path / "targets.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(slosim.ScenarioError) as caught:
        slosim.read_targets(path, scenario)
    return str(caught.value).replace(str(path), "F")


def test_what_is_written_of_hundreds_of_objectives_is_read(tmp_path: Path):
    names = [f"objective {number}" for number in range(400)]
    declared = [f"{{name: {name}, flow: p, within: 1s, target: 99%}}" for name in names]
    scenario = slosim.loads(f"{SMALL}objectives: [{', '.join(declared)}]\n")
    (tmp_path / "o.yaml").write_text(openslo_of(scenario.resolved()), encoding="utf-8")
    assert len(slosim.read_targets(tmp_path / "o.yaml", scenario)) == 2 * len(names)


# ---- export ------------------------------------------------------------------------------------------------


def test_each_objective_is_an_slo_of_the_service_that_is_the_scenario(shop: slosim.Scenario):
    documents = read(openslo_of(shop.resolved()))
    assert [one["kind"] for one in documents] == ["Service", "SLO", "SLO", "SLO", "SLO"]
    assert documents[0]["metadata"] == {"name": "shop-more", "displayName": "Shop & more"}
    assert documents[0]["spec"] == {"description": "What we sell."}
    assert [one["metadata"]["name"] for one in documents[1:]] == ["in-time", "none-lost", "keeps-up", "fresh"]


def test_targets_thresholds_and_windows_are_those_of_the_scenario(shop: slosim.Scenario):
    specs = slos(openslo_of(shop.resolved()))
    promised = {name: spec["objectives"][0] for name, spec in specs.items()}
    assert {name: one["target"] for name, one in promised.items()} == {
        one.name: one.target for one in shop.objectives
    }
    assert (promised["keeps up"]["op"], promised["keeps up"]["value"]) == ("lt", 300)
    assert (promised["fresh"]["op"], promised["fresh"]["value"]) == ("lt", 0.25)
    windows = {name: spec["timeWindow"][0]["duration"] for name, spec in specs.items()}
    assert windows == {"In time": "30d", "none lost": "7d", "keeps up": "12h", "fresh": "90m"}


def test_queries_say_what_to_count(shop: slosim.Scenario):
    """They are placeholders: a simulation has no metrics to point at."""
    specs = slos(openslo_of(shop.resolved()))
    ratio = specs["In time"]["indicator"]["spec"]["ratioMetric"]
    assert ratio["good"]["metricSource"]["type"] == "slosim"
    assert ratio["good"]["metricSource"]["spec"]["query"] == "instances of the flow p completed within 1m30s"
    assert ratio["total"]["metricSource"]["spec"]["query"].startswith(
        "instances of the flow p completed within 1m30s, late,"
    )
    lag = specs["keeps up"]["indicator"]["spec"]["thresholdMetric"]["metricSource"]["spec"]
    assert lag["query"] == "the lag of the topic jobs at its consumer s, in messages"


def test_what_openslo_cannot_say_is_told(shop: slosim.Scenario):
    changes = {"objectives[none lost].target": 1.0, "objectives[fresh].window": "90s"}
    text = openslo_of(shop.replace(changes).resolved())
    assert "# Left out: 'none lost' promises 100%, and a target must be below 1.\n" in text
    assert list(slos(text)) == ["In time", "keeps up", "fresh"]
    fresh = slos(text)["fresh"]
    assert "timeWindow" not in fresh
    assert fresh["description"].endswith("The window of 1m30s is no whole number of minutes.")


def test_every_example_is_exported(tmp_path: Path):
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        scenario = slosim.load(path)
        if not scenario.objectives:
            continue
        (tmp_path / "o.yaml").write_text(openslo_of(scenario.resolved()), encoding="utf-8")
        assert len(slos(openslo_of(scenario.resolved()))) == len(scenario.objectives)
        assert scenario.replace(slosim.read_targets(tmp_path / "o.yaml", scenario)) == scenario


NAMES = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=90),
        st.sampled_from(
            ["yes", "null", "1e3", "0x1F", "2020-01-01", ".inf", "12:30", "- a", "#", "]: *", "日本"]
        ),
        st.sampled_from(["a b", "a-b", "A B", "a_b", "a-b-2", "x" * 70, "x" * 80]),
    ),
    min_size=1,
    max_size=6,
    unique=True,
).filter(lambda names: all(name.isprintable() and name.strip() for name in names))


@settings(max_examples=50, deadline=None)
@given(names=NAMES, targets=st.lists(st.integers(1, 99_999), min_size=6, max_size=6))
def test_any_names_come_back_with_their_targets(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], targets: list[int]
):
    """In YAML 1.1 as in 1.2: older readers take `yes` or 2020-01-01 for something else than text."""
    promised = [
        {"name": name, "flow": "p", "target": target / 100_000}
        for name, target in zip(names, targets, strict=False)
    ]
    there = slosim.loads(SYSTEM).replace({"objectives": promised})
    here = there.replace({f"objectives[{name}].target": 0.5 for name in names})
    text = openslo_of(there.resolved())
    read(text, (1, 1))
    assert list(slos(text)) == names
    path = tmp_path_factory.mktemp("openslo") / "o.yaml"
    path.write_text(text, encoding="utf-8")
    assert here.replace(slosim.read_targets(path, here)) == there


@settings(max_examples=100, deadline=None)
@given(names=NAMES)
def test_labels_are_valid_and_different(names: list[str]):
    labels = labels_of(names, "objective")
    assert len(set(labels)) == len(names)
    assert all(LABEL.fullmatch(label) for label in labels)


def test_labels_keep_what_can_be_read():
    assert labels_of(["Über uns!", "uber-uns", "日本", "__", "9 lives"], "objective") == [
        "uber-uns",
        "uber-uns-2",
        "objective",
        "objective-2",
        "9-lives",
    ]


# ---- import ------------------------------------------------------------------------------------------------

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: in-time, displayName: In time}
spec:
  service: shop
  budgetingMethod: Occurrences
  timeWindow: [{duration: 4w, isRolling: true}]
  objectives: [{target: 0.9}]
"""


def changed(tmp_path: Path, shop: slosim.Scenario, text: str) -> dict:
    (tmp_path / "o.yaml").write_text(text, encoding="utf-8")
    return slosim.read_targets(tmp_path / "o.yaml", shop)


def test_target_and_window_of_an_objective_are_taken_by_its_name(tmp_path: Path, shop: slosim.Scenario):
    assert changed(tmp_path, shop, SLO) == {
        "objectives[In time].target": 0.9,
        "objectives[In time].window": "28d",
    }
    for metadata in (
        "{name: in-time}",
        "{name: In time}",
        "{name: x1, displayName: In time}",
        "{displayName: in-time}",
    ):
        text = SLO.replace("{name: in-time, displayName: In time}", metadata)
        assert changed(tmp_path, shop, text) == changed(tmp_path, shop, SLO), metadata


def test_what_an_slo_leaves_open_stays(tmp_path: Path, shop: slosim.Scenario):
    text = SLO.replace("  timeWindow: [{duration: 4w, isRolling: true}]\n", "")
    assert changed(tmp_path, shop, text) == {"objectives[In time].target": 0.9}


def test_percentages_and_other_kinds_are_read(tmp_path: Path, shop: slosim.Scenario):
    """99.95 is 0.9995 exactly, as in a scenario."""
    others = "---\napiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: d}\nspec: {type: X}\n---\n"
    text = others + SLO.replace("{target: 0.9}", "{targetPercent: 99.95}") + "---\n"
    assert changed(tmp_path, shop, text)["objectives[In time].target"] == 0.9995


def test_time_slices_are_samples_for_lag_and_age_and_refused_for_flows(tmp_path: Path, shop: slosim.Scenario):
    text = SLO.replace("Occurrences", "Timeslices").replace(
        "{target: 0.9}", "{target: 0.9, timeSliceTarget: 1, timeSliceWindow: 1m}"
    )
    said = wrong(tmp_path, shop, text)
    assert "F:6 spec.budgetingMethod: 'In time' counts instances of a flow" in said
    assert changed(tmp_path, shop, text.replace("in-time", "fresh").replace("In time", "fresh"))


REFUSED = {
    "{target: 0.9}, {target: 0.8}": "expected one objective in each SLO, got 2 objectives",
    "": "F:8 spec.objectives: expected one objective in each SLO, got 0 objectives",
    "{displayName: x}": "F:8 spec.objectives[0]: expected target or targetPercent, got neither",
    "{target: 0.9, targetPercent: 90}": "F:8 spec.objectives[0]: expected target or targetPercent, got both",
    "{target: 99}": "F:8 spec.objectives[0].target: expected a number above 0 and below 1, got 99",
    "{target: 1}": "F:8 spec.objectives[0].target: expected a number above 0 and below 1, got 1",
    "{target: 0.99999999999999999999}": "spec.objectives[0].target: expected a number above 0 and below 1",
    "{target: 1e-9999}": "F:8 spec.objectives[0].target: expected a number above 0 and below 1, got 1e-9999",
    "{target: 0}": "F:8 spec.objectives[0].target: expected a number above 0 and below 1, got 0",
    "{target: nan}": "F:8 spec.objectives[0].target: expected a number above 0 and below 1, got nan",
    "{target: [1]}": "F:8 spec.objectives[0].target: expected a number above 0 and below 1, got a list",
    "{targetPercent: 100}": "F:8 spec.objectives[0].targetPercent: expected a number above 0 and below 100",
    "{taget: 0.9}": "F:8 spec.objectives[0].taget: OpenSLO v1 has no key 'taget' here",
    "{target: 0.9, indicatorRef: x}": "F:8 spec.objectives[0]: a composite SLO, which has indicatorRef",
    "0.9": "F:8 spec.objectives[0]: expected an objective, got 0.9",
}


@pytest.mark.parametrize("items", REFUSED)
def test_targets_that_cannot_be_used(tmp_path: Path, shop: slosim.Scenario, items: str):
    assert REFUSED[items] in wrong(tmp_path, shop, SLO.replace("{target: 0.9}", items))


WINDOWS = {
    "[{duration: 1M, isRolling: true}]": "F:7 spec.timeWindow[0].duration: expected a number of m, h, d or w",
    "[{duration: 30days, isRolling: true}]": "expected a number of m, h, d or w, got 30days",
    "[{duration: 99999999d, isRolling: true}]": "expected a number of m, h, d or w, got 99999999d",
    "[{isRolling: true}]": "F:7 spec.timeWindow[0].duration: expected a number of m, h, d or w, got nothing",
    "[{duration: 1M, calendar: {startTime: x}}]": "F:7 spec.timeWindow[0]: expected a rolling window",
    "[{duration: 30d}]": "F:7 spec.timeWindow[0]: expected a rolling window",
    "[]": "F:7 spec.timeWindow: expected a list of one time window, got an empty list",
    "30d": "F:7 spec.timeWindow: expected a list of one time window, got 30d",
}


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_that_cannot_be_used(tmp_path: Path, shop: slosim.Scenario, window: str):
    said = wrong(tmp_path, shop, SLO.replace("[{duration: 4w, isRolling: true}]", window))
    assert WINDOWS[window] in said


FILES = {
    "": "F: no SLO in this file\n    documents of OpenSLO v1",
    "---\n---\n": "F: no SLO in this file",
    SYSTEM: "F:2 apiVersion: not OpenSLO: apiVersion is missing",
    "- 1\n": "F:1: not OpenSLO, got a list",
    "a: [": "F:1: broken YAML",
    SLO.replace("openslo/v1", "openslo/v1alpha"): "F:1 apiVersion: expected openslo/v1, got openslo/v1alpha",
    SLO.replace("kind: SLO", "kind: SL0"): "F:2 kind: expected a kind of OpenSLO, got SL0",
    SLO.replace("kind: SLO\n", ""): "F:1 kind: expected a kind of OpenSLO, got nothing",
    SLO.replace("{name: in-time, displayName: In time}", "{}"): "F:3 metadata.name: an SLO without a name",
    SLO.replace("  budgetingMethod: Occurrences\n", ""): "expected Occurrences or Timeslices, got nothing",
    SLO.replace(
        "timeWindow", "timeWindows"
    ): "F:7 spec.timeWindows: OpenSLO v1 has no key 'timeWindows' here",
    SLO + "---\n" + SLO: "F:12 metadata: a second SLO of the objective 'In time', the first is in line 3",
    SLO.replace("{target: 0.9}", "!!python/object {target: 0.9}"): "F:8: tags are refused",
    SLO.replace("{target: 0.9}", "*gone"): "F:8: alias '*gone'",
    "a: &a [x, x]\n"
    + "".join(
        f"{n}: &{n} [*{m}, *{m}, *{m}, *{m}, *{m}, *{m}]\n"
        for m, n in zip("abcdefgh", "bcdefghi", strict=True)
    ): "more than 100,000 values",
    "[" * 100: "nested deeper than 32 levels",
    "#" * 700_000: "too large, got 700,000 bytes",
}


@pytest.mark.parametrize("text", FILES, ids=lambda text: ascii(text[:30]))
def test_files_that_cannot_be_used(tmp_path: Path, shop: slosim.Scenario, text: str):
    assert FILES[text] in wrong(tmp_path, shop, text)


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path, shop: slosim.Scenario):
    text = SLO.replace("{name: in-time, displayName: In time}", "{name: kept, displayName: In tine}")
    said = wrong(tmp_path, shop, text)
    assert "F:3 metadata.displayName: no objective of the scenario is called 'In tine'" in said
    assert "objectives: 'In time', 'none lost', 'keeps up', fresh" in said
    assert "did you mean 'In time'?" in said


def test_all_mistakes_are_listed_at_once(tmp_path: Path, shop: slosim.Scenario):
    broken = SLO.replace("0.9", "9").replace("4w", "1Q").replace("in-time", "x").replace("In time", "y")
    assert wrong(tmp_path, shop, SLO + "---\n" + broken).count("\nF:") + 1 == 3


def test_our_label_is_looked_for_among_labels_first(tmp_path: Path, shop: slosim.Scenario):
    """One objective may be called as the label of another reads."""
    promised = [{"name": name, "flow": "p", "target": 0.5} for name in ("Lost Orders", "lost-orders")]
    scenario = shop.replace({"objectives": promised})
    bare = re.sub(r"metadata: \{name: (\S+), .*\}", r"metadata: {name: \1}", openslo_of(scenario.resolved()))
    text = bare.replace("target: 0.5", "target: 0.6", 1)
    assert changed(tmp_path, scenario, text)["objectives[Lost Orders].target"] == 0.6
    assert changed(tmp_path, scenario, text)["objectives[lost-orders].target"] == 0.5


# ---- as commands -------------------------------------------------------------------------------------------


def slosim_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slosim", *arguments]
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, text=True, capture_output=True, timeout=300, check=False
    )


def test_export_change_and_check_against_it(tmp_path: Path):
    (tmp_path / "shop.yaml").write_text(SYSTEM)
    printed = slosim_in(tmp_path, "openslo", "shop.yaml")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert len(slos(printed.stdout)) == 4
    ran = slosim_in(
        tmp_path, "run", "shop.yaml", "-q", "--json", "a.json", "--openslo", "a.yaml", "--out", "o"
    )
    assert ran.returncode == 0, ran.stderr
    again = slosim_in(tmp_path, "report", "a.json", "-q", "--openslo", "b.yaml")
    assert again.returncode == 0, again.stderr
    texts = {(tmp_path / name).read_text() for name in ("a.yaml", "b.yaml", "o/openslo.yaml")}
    assert texts == {printed.stdout}

    strict = printed.stdout.replace("value: 300", "value: 1").replace("target: 0.98}", "target: 0.999}")
    (tmp_path / "strict.yaml").write_text(strict)
    ran = slosim_in(tmp_path, "run", "shop.yaml", "--targets", "strict.yaml", "--json", "c.json")
    assert ran.returncode == 0, ran.stderr
    report = slosim.Report.from_json((tmp_path / "c.json").read_text())
    assert report.objectives["keeps up"].target_ratio == 0.999
    assert report.objectives["keeps up"].threshold == 300  # only target and window are taken
    resolved = {one["name"]: one for one in report.data["scenario"]["resolved"]["objectives"]}
    assert resolved["keeps up"]["target"] == "99.9%"
    assert "slosim run shop.yaml --targets strict.yaml --seed" in ran.stdout.replace("\n", " ")


def test_what_set_says_wins(tmp_path: Path):
    (tmp_path / "shop.yaml").write_text(SYSTEM)
    (tmp_path / "o.yaml").write_text(SLO)
    change = ("--set", "objectives[In time].target=80%")
    ran = slosim_in(tmp_path, "run", "shop.yaml", "-q", "--targets", "o.yaml", *change, "--json", "r.json")
    assert ran.returncode == 0, ran.stderr
    one = slosim.Report.from_json((tmp_path / "r.json").read_text()).data["scenario"]["resolved"][
        "objectives"
    ][0]
    assert (one["target"], one["window"]) == ("80%", "28d")


def test_targets_that_cannot_be_used_end_the_command(tmp_path: Path):
    (tmp_path / "shop.yaml").write_text(SYSTEM)
    (tmp_path / "o.yaml").write_text(SLO.replace("0.9", "90"))
    ran = slosim_in(tmp_path, "check", "shop.yaml", "--targets", "o.yaml")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(
        "o.yaml:8 spec.objectives[0].target: expected a number above 0 and below 1, got 90"
    )
    missing = slosim_in(tmp_path, "check", "shop.yaml", "--targets", "gone.yaml")
    assert missing.returncode == 2
    assert missing.stderr.startswith("gone.yaml: no such file\n")
    onto = slosim_in(tmp_path, "run", "shop.yaml", "--targets", "o.yaml", "--openslo", "o.yaml")
    assert onto.returncode == 2


def test_openslo_writes_a_file_but_not_over_the_scenario(tmp_path: Path):
    (tmp_path / "shop.yaml").write_text(SYSTEM)
    assert slosim_in(tmp_path, "openslo", "shop.yaml", "--out", "o.yaml", "--set", "name=x").returncode == 0
    assert read((tmp_path / "o.yaml").read_text())[0]["metadata"]["name"] == "x"
    assert slosim_in(tmp_path, "openslo", "shop.yaml", "--out", "shop.yaml").returncode == 2
    printed = slosim_in(tmp_path, "openslo", "shop.yaml", "--out", "-", "--set", "name=x")
    assert printed.stdout == (tmp_path / "o.yaml").read_text()
    assert not (tmp_path / "-").exists()
    assert (tmp_path / "shop.yaml").read_text() == SYSTEM
