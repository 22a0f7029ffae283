"""A report as JUnit XML, which Jenkins, GitLab and others show as tests: an objective is a test case.

The elements and attributes are those that all readers of the format share. What a reader leaves out differs
(GitLab shows the text of a failure and not its message), so the numbers stand in both.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from slosim.report.objectives import MISSED, UNDECIDED
from slosim.report.text_verdict import objective_sentence
from slosim.report.units import clock

NO_TIME = "0"  # seconds; some readers want the attribute, and a report knows no wall time
WHY_NO_TIME = "not measured: a report holds no wall time, so that the same inputs give the same bytes"
FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write, not even escaped (section 2.2, Char)."""


def junit_of(data: dict[str, Any]) -> str:
    """The report as a document with one suite; a report without objectives is a suite without cases."""
    name = data["scenario"]["name"]
    cases = [_case(one, data) for one in data["objectives"]]
    if "stopped" in data["run"]:
        cases.insert(0, _stopped(data))
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": "0",
        "time": NO_TIME,
    }
    root = Element("testsuites", {"name": "slosim", **counts})
    suite = SubElement(root, "testsuite", {"name": allowed(name), **counts})
    properties = SubElement(suite, "properties")
    for key, value in _properties(data):
        SubElement(properties, "property", name=key, value=allowed(str(value)))
    suite.extend(cases)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def allowed(text: str) -> str:
    """The text with a replacement character for each one that XML forbids."""
    return FORBIDDEN.sub("\ufffd", text)


def _properties(data: dict[str, Any]) -> list[tuple[str, Any]]:
    run, scenario = data["run"], data["scenario"]
    return [
        ("verdict", data["verdict"]),
        ("digest", scenario["digest"]),
        ("seed", run["seed"]),
        ("replications", run["replications"]),
        ("duration", clock(run["duration_s"])),
        ("version", run["version"]),
        ("time", WHY_NO_TIME),
    ]


def _new_case(name: str, data: dict[str, Any]) -> Element:
    return Element(
        "testcase",
        classname=allowed(f"slosim.{data['scenario']['name']}"),
        name=allowed(name),
        time=NO_TIME,
    )


def _case(objective: dict[str, Any], data: dict[str, Any]) -> Element:
    case = _new_case(objective["name"], data)
    measured = allowed(objective_sentence(objective, data))
    if objective["verdict"] in (MISSED, UNDECIDED):
        failure = SubElement(case, "failure", type=objective["verdict"], message=measured)
        subject = f"objectives.{objective['name']}"
        told = [one["text"] for one in data["findings"] if one["subject"] == subject]
        failure.text = "\n".join([measured, *map(allowed, told)])
    else:
        SubElement(case, "system-out").text = measured
    return case


def _stopped(data: dict[str, Any]) -> Element:
    run = data["run"]
    case = _new_case("the run is whole", data)
    message = allowed(f"stopped at {clock(run['ended_s'])} of {clock(run['duration_s'])}: {run['stopped']}")
    error = SubElement(case, "error", type="stopped", message=message)
    error.text = f"{message}\nThe numbers of the objectives are partial."
    return case
