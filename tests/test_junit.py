"""The report as JUnit XML: read by an XML parser, and held against what readers of the format share."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slosim
from slosim.outputs.junit import allowed, junit_of
from test_cli import BROKEN, ENVIRONMENT, GROWING, KEPT, SMALL

ORDER = {"testsuites": ["testsuite"], "testsuite": ["properties", "testcase"], "properties": ["property"]}
NEEDED = {
    "testsuites": {"tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"classname", "name", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "property": {"name", "value"},
}


def read(text: str) -> ElementTree.Element:
    """The document, after the checks that hold for each: elements in order, attributes, counts."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        assert NEEDED.get(element.tag, set()) <= set(element.attrib), element.tag
        order = ORDER.get(element.tag, [])
        places = [order.index(child.tag) for child in element if order]
        assert places == sorted(places)
    for counted in (root, *root.findall("testsuite")):
        cases = list(counted.iter("testcase"))
        assert int(counted.attrib["tests"]) == len(cases)
        assert int(counted.attrib["failures"]) == sum(len(case.findall("failure")) for case in cases)
        assert int(counted.attrib["errors"]) == sum(len(case.findall("error")) for case in cases)
        for case in cases:
            tags = [child.tag for child in case]
            assert len(tags) == 1  # readers keep one failure of a case
            assert set(tags) <= {"failure", "error", "system-out"}
    return root


def child_of(root: ElementTree.Element, case: str, tag: str) -> ElementTree.Element:
    """The child of the test case of this name."""
    found = next(one for one in root.iter("testcase") if one.attrib["name"] == case).find(tag)
    assert found is not None, (case, tag)
    return found


@pytest.fixture(scope="module")
def missed() -> slosim.Report:
    return slosim.run(slosim.loads(BROKEN))


def test_each_objective_is_a_test_case_with_its_verdict():
    objectives = [
        {"name": "done", "flow": "p", "target": 0.9},
        {"name": "at once", "flow": "p", "within": "1ms", "target": 0.99},
        {"name": "close", "flow": "p", "within": "100ms", "target": 0.6},
    ]
    report = slosim.run(slosim.loads(SMALL).replace({"objectives": objectives}))
    close = report.objectives["close"].sli_ratio  # put the target in the middle of its interval
    report = slosim.run(
        slosim.loads(SMALL).replace(
            {"objectives": [*objectives[:2], objectives[2] | {"target": close.value}]}
        )
    )
    assert [one.verdict for one in report.objectives] == ["met", "missed", "undecided"]
    root = read(junit_of(report.data))
    assert [case.attrib["name"] for case in root.iter("testcase")] == ["done", "at once", "close"]
    assert {case.attrib["classname"] for case in root.iter("testcase")} == {"slosim.small"}
    said = child_of(root, "done", "system-out").text or ""
    assert said.startswith("done is met: p completed, promised 90%, measured ")
    for name, verdict in (("at once", "missed"), ("close", "undecided")):
        failure = child_of(root, name, "failure")
        assert failure.attrib["type"] == verdict
        assert failure.attrib["message"] in (failure.text or "")  # for readers that show one of the two
    assert root.attrib["failures"] == "2"


def test_a_failure_says_what_was_measured_promised_and_spent(missed: slosim.Report):
    """Its numbers are those of the report, to the digits that it shows."""
    message = child_of(read(junit_of(missed.data)), "at once", "failure").attrib["message"]
    sli = missed.objectives["at once"].sli_ratio
    for number in (sli.value, sli.low, sli.high):
        assert any(f"{100 * number:.{digits}f}%" in message for digits in (0, 1, 2, 3)), (number, message)
    assert "promised 99%" in message
    assert "p completed within 1ms" in message
    spent = missed.objectives["at once"].error_budget.consumed_of_window_ratio.value
    assert f"{100 * spent:.1f}%" in message or f"{100 * spent:.2f}%" in message
    assert "budget of 30d" in message


def test_the_suite_tells_which_run_it_was(missed: slosim.Report):
    root = read(junit_of(missed.data))
    properties = {one.attrib["name"]: one.attrib["value"] for one in root.iter("property")}
    run = missed.data["run"]
    assert properties["digest"] == missed.data["scenario"]["digest"]
    assert properties["seed"] == str(run["seed"])
    assert properties["replications"] == str(run["replications"])
    assert properties["version"] == slosim.__version__
    assert properties["verdict"] == "missed"
    assert "not measured" in properties["time"]


def test_without_objectives_the_suite_is_empty_and_nothing_fails():
    root = read(junit_of(slosim.run(slosim.loads(SMALL)).data))
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == ("0", "0", "0")
    assert len(root.findall("testsuite")) == 1


def test_an_objective_of_which_nothing_counted_fails_as_undecided():
    late = SMALL.replace("10m", "1s") + "objectives: [{name: done, flow: p, within: 1h, target: 99%}]\n"
    scenario = slosim.loads(late).replace({"services.s.service_time": "1d"})
    report = slosim.run(scenario)
    assert report.objectives["done"].sli_ratio is None or report.objectives["done"].sli_ratio.value is None
    failure = child_of(read(junit_of(report.data)), "done", "failure")
    assert failure.attrib["type"] == "undecided"
    assert failure.attrib["message"].endswith("promised 99%, nothing counted")


def renamed(report: slosim.Report, name: str) -> dict:
    data = copy.deepcopy(report.data)
    data["scenario"]["name"] = data["objectives"][0]["name"] = data["findings"][0]["text"] = name
    return data


@settings(max_examples=60, deadline=None)
@given(name=st.text(min_size=1))
def test_any_name_gives_a_well_formed_file(missed: slosim.Report, name: str):
    """Also what the language refuses: `slosim report` reads files that anybody may have edited."""
    case = next(read(junit_of(renamed(missed, name))).iter("testcase"))
    assert case.attrib["name"] == allowed(name)
    assert case.attrib["classname"] == "slosim." + allowed(name)


HOSTILE = {
    "]]>": "]]>",
    "<!-- &amp;\"'<failure/>": "<!-- &amp;\"'<failure/>",
    "a\0b\x01\x1b[31m\x0b": "a\ufffdb\ufffd\ufffd[31m\ufffd",
    "\ud800 \ufffe \uffff": "\ufffd \ufffd \ufffd",
    "\U0001f642 \u65e5\u672c \u202e \u2028": "\U0001f642 \u65e5\u672c \u202e \u2028",
    "a\nb\tc\rd": "a\nb\tc\rd",
}


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_what_xml_can_write_is_kept_and_the_rest_replaced(missed: slosim.Report, name: str):
    root = read(junit_of(renamed(missed, name)))
    assert next(root.iter("testcase")).attrib["name"] == HOSTILE[name]
    assert root.attrib["tests"] == "1"


# ---- as a command ------------------------------------------------------------------------------------------


def slosim_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slosim", *arguments]
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, text=True, capture_output=True, timeout=300, check=False
    )


def test_run_check_report_and_out_write_the_same_file(tmp_path: Path):
    (tmp_path / "scenario.yaml").write_text(KEPT)
    ran = slosim_in(
        tmp_path, "run", "scenario.yaml", "-q", "--junit", "a.xml", "--out", "o", "--json", "r.json"
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert slosim_in(tmp_path, "check", "scenario.yaml", "-q", "--junit", "b.xml").returncode == 0
    assert slosim_in(tmp_path, "report", "r.json", "-q", "--junit", "c.xml").returncode == 0
    first = (tmp_path / "a.xml").read_text()
    assert read(first).attrib["tests"] == "1"
    assert {(tmp_path / name).read_text() for name in ("b.xml", "c.xml", "o/junit.xml")} == {first}


def test_a_stopped_run_is_an_error(tmp_path: Path):
    (tmp_path / "scenario.yaml").write_text(GROWING + "objectives: [{name: done, flow: p, target: 90%}]\n")
    limit = ("--memory-limit", "100MB")
    ran = slosim_in(tmp_path, "check", "scenario.yaml", "-q", *limit, "--junit", "j.xml", "--json", "r.json")
    assert ran.returncode == 3, ran.stderr
    root = read((tmp_path / "j.xml").read_text())
    assert root.attrib["errors"] == "1"
    error = child_of(root, "the run is whole", "error")
    assert error.attrib["type"] == "stopped"
    assert json.loads((tmp_path / "r.json").read_text())["run"]["stopped"] in error.attrib["message"]
