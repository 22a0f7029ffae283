"""Several reports in one page, and the command that compares them."""

from __future__ import annotations

import copy
import json
import math
import re
from pathlib import Path

import pytest

import slosim as library
from browser import DARK, LIGHT, Browser, needs_browser
from slosim.cli.saved import run_names
from slosim.html.over_time import runs_chart
from slosim.html.report import html_of
from slosim.html.runs import LINES_MOST, RUNS_MOST, content, html_of_runs
from slosim.report.differences import NamedReport, differences_of
from slosim.report.scenario_changes import scenario_changes
from slosim.report.text_differences import text_of_runs
from slosim.report.units import share
from test_cli import KEPT, ROOT, SMALL, slosim
from test_html import CONTRAST, HOSTILE, HOSTILE_SCENARIO, MANY, MOST_BYTES, Page

SECTIONS = ("objectives", "changes", "latency", "budget", "backlog", "scenario", "provenance")
OTHER = """
name: other
run: {duration: 5m, warmup: 30s, replications: 3, sample_every: 7s}
topics: {jobs: {}, more: {}}
producers: {q: {topic: more, arrivals: {poisson: 1/s}}, p: {topic: jobs, arrivals: {poisson: 2/s}}}
services:
  s: {consumes: jobs, service_time: {exponential: 200ms}}
  z: {consumes: more, service_time: {exponential: 100ms}}
faults: [{name: pause, at: 2m, for: 20s, target: services.s, effect: {pause: true}}]
objectives: [{name: fresh, topic: jobs, age_below: 1s, target: 90%}]
"""


def data_of(text: str) -> dict:
    return json.loads(library.run(library.loads(text)).to_json())


@pytest.fixture(scope="module")
def runs() -> list[NamedReport]:
    """The orders example, with more patience and with less."""
    orders = library.load(ROOT / "examples" / "orders.yaml")
    found = []
    for attempts in (8, 12, 4):
        changed = orders.replace({"services.payment.retry.maximum_attempts": attempts})
        data = json.loads(library.run(changed).to_json())
        found.append(NamedReport(f"{attempts} attempts", data))
    return found


@pytest.fixture(scope="module")
def html(runs: list[NamedReport]) -> str:
    return html_of_runs(runs)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def unlike() -> list[NamedReport]:
    """Runs of other topology, length, sample times; one without objectives, one of hardly any message."""
    few = SMALL.replace("poisson: 2/s", "every: 9m")
    return [
        *(NamedReport(name, data_of(text)) for name, text in (("kept", KEPT), ("other", OTHER))),
        *(NamedReport(name, data_of(text)) for name, text in (("bare", SMALL), ("few", few))),
    ]


# ---- what is in the file -----------------------------------------------------------------------------------


def test_every_run_and_what_changes_is_told_first(page: Page, runs: list[NamedReport]):
    assert page.ids >= {*SECTIONS}
    top = page.text[: page.text.index("Objectives\n")]
    for run in runs:
        assert run.name in top
    assert "'orders ship in time' goes from met to missed." in top
    assert "fulfilment p99 rises by 597%" in top
    assert "No objective changes its verdict." in top


def test_two_runs_of_orders_are_small_enough_for_a_mail(runs: list[NamedReport], html: str):
    assert len(html_of_runs(runs[:2]).encode()) < 2_000_000
    assert len(html.encode()) < MOST_BYTES


def test_objectives_stand_side_by_side(page: Page, runs: list[NamedReport]):
    cells = " ".join(page.cells)
    for run in runs:
        for one in run.data["objectives"]:
            assert share(one["error_budget"]["remaining_in_run_ratio"]["value"]) + " of budget" in cells


def test_the_forest_shows_the_differences_and_their_intervals(page: Page, runs: list[NamedReport]):
    by_name = {one["name"]: one for one in differences_of(runs[0].data, runs[1].data)["changes"]}
    rows = page.charts["changes-1"]["rows"]["rows"]

    assert len(rows["name"]) == 30
    assert rows["name"][:3] == ["orders ship in time", "no order is lost", "payments keep up"]
    for name, change, low, high in zip(
        *(rows[key] for key in ("name", "change", "low", "high")), strict=True
    ):
        ratio = by_name[name]["ratio"]
        for shown, bound in ((change, "value"), (low, "low"), (high, "high")):
            assert shown == pytest.approx(math.log1p(ratio[bound]), rel=1e-5), name
    first, last = (one["value"] for one in page.charts["changes-1"]["spec"]["params"])
    assert first < min(rows["low"]) < 0 < max(rows["high"]) < last


def test_all_numbers_are_in_a_table(page: Page, runs: list[NamedReport]):
    changes = differences_of(runs[0].data, runs[1].data)["changes"]
    assert "All 54 numbers" in page.text
    for one in changes:
        assert one["name"] in page.cells


def test_series_are_those_of_each_run(page: Page, runs: list[NamedReport]):
    rows = page.charts["lag-1"]["rows"]
    for number, run in enumerate(runs):
        series = run.data["topics"]["payments.requested"]["consumers"]["payment"]["series"]
        known = dict(zip(series["t_s"], series["lag"], strict=True))
        its = rows[f"run {number}"]
        assert max(its["s"]) == pytest.approx(max(series["lag"]), rel=1e-5)
        assert all(
            known[t / 1000] == pytest.approx(s, rel=1e-5) for t, s in zip(its["t"], its["s"], strict=True)
        )


def test_runs_of_other_times_are_told_at_theirs():
    shared = {"run": {"duration_s": 10.0, "warmup_s": 0.0}, "faults": []}
    chart = runs_chart("k", "t", {0: ("a", [0, 4, 8], [1, 2, 3]), 2: ("b", [0, 5], [7, 9])}, shared)

    assert chart is not None
    assert chart.rows["rows"]["t_s"] == [0, 4, 5, 8]
    assert chart.rows["rows"]["s0"] == [1, 2, 2, 3]
    assert chart.rows["rows"]["s2"] == [7, 7, 9, None]
    assert chart.rows["run 2"] == {"t_s": [0, 5], "s": [7, 9]}
    assert runs_chart("k", "t", {0: ("a", [], [])}, shared) is None


def test_differences_of_the_scenarios_are_told(page: Page):
    assert "services.payment.retry.maximum_attempts" in page.cells
    at = page.cells.index("services.payment.retry.maximum_attempts")
    assert page.cells[at + 1 : at + 3] == ["8", "12"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a.c", "2", "3")]),
        ({"a": {"b": 1}}, {"a": {}}, [("a.b", "1", None)]),
        ({"a": 1}, {"a": 1, "b": {"c": [1]}}, [("b", None, '{"c": [1]}')]),
        ({"l": [{"name": "x", "v": 1}]}, {"l": [{"name": "y"}, {"name": "x", "v": 2}]},
         [("l.x.v", "1", "2"), ("l.y", None, '{"name": "y"}')]),
        ({"l": [1, 2]}, {"l": [1, 3]}, [("l", "[1, 2]", "[1, 3]")]),
        ({"l": []}, {"l": [{"name": "x"}]}, [("l.x", None, '{"name": "x"}')]),
        ({"l": []}, {"l": [1]}, [("l", "[]", "[1]")]),
        ({"a": None}, {"a": "none"}, [("a", "null", "none")]),
        ({"a": 1}, {"a": 1}, []),
    ],
)  # fmt: skip
def test_what_differs_is_told_by_its_path(before: dict, after: dict, expected: list):
    assert [tuple(one) for one in scenario_changes(before, after)] == expected


def test_unlike_runs_have_a_page(unlike: list[NamedReport]):
    for first in range(len(unlike)):
        its = Page(html_of_runs([*unlike[first:], *unlike[:first]]))
        assert its.ids >= {*SECTIONS}
        assert "None" not in its.cells
        assert "undefined" not in its.cells or "–" in its.cells
        assert "not declared" in its.cells


def test_names_of_any_kind_arrive_as_text():
    data = data_of(HOSTILE_SCENARIO)
    page = Page(html_of_runs([NamedReport(HOSTILE, data), NamedReport("b", data)]))

    assert [tag for tag, _ in page.tags].count("script") == 2
    assert "img" not in [tag for tag, _ in page.tags]
    assert page.text.count("{{7*7}}") >= 4


def test_only_our_script_and_style_are_allowed(page: Page):
    assert "default-src 'none'" in page.meta("Content-Security-Policy")
    for tag, attributes in page.tags:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag


def test_a_page_of_many_lines_shows_those_that_rise_highest():
    data = data_of(MANY)
    shown = content([NamedReport("a", data), NamedReport("b", data)])

    assert len(shown["lines"]) == LINES_MOST
    assert shown["more_lines"] == 20 - LINES_MOST


def test_as_many_runs_as_colours_are_told_apart(unlike: list[NamedReport]):
    many = [NamedReport(f"run {number}", unlike[0].data) for number in range(RUNS_MOST)]

    assert len({one["colour"] for one in content(many)["runs"]}) == RUNS_MOST


# ---- the command -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "scenarios", "names"),
    [
        (["a.json", "x/b.json"], ["s", "s"], ["a", "b"]),
        (["x/run.json", "y/run.json"], ["slow", "fast"], ["slow", "fast"]),
        (["x/run.json", "y/run.json"], ["s", "s"], ["x/run", "y/run"]),
        (["run.json", "run.json"], ["s", "s"], ["run 1", "run 2"]),
        ([f"{'a' * 60}1.json", f"{'a' * 60}2.json"], ["s", "t"], ["s", "t"]),
        (["a\n.json", "b.json"], ["s", "s"], ["a", "b"]),
    ],
)
def test_runs_have_short_names_of_their_own(paths, scenarios, names):
    assert run_names([Path(path) for path in paths], scenarios) == names


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with main.json and change.json, of a scenario and a slower one."""
    folder = tmp_path_factory.mktemp("saved")
    for name, text in (("main", KEPT), ("change", KEPT.replace("100ms", "200ms"))):
        (folder / f"{name}.json").write_text(json.dumps(data_of(text)), encoding="utf-8")
    return folder


def test_several_files_are_compared_with_the_first(saved: Path):
    ran = slosim(
        *("report", "main.json", "change.json", "--html", "runs.html", "--markdown", "runs.md"), cwd=saved
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("main: MET.")
    assert "CHANGES  from main, paired" in ran.stdout
    assert re.search(r"p p99 .* worse", ran.stdout)
    assert "services.s.service_time.exponential" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 100
    assert "What changes from" in Page((saved / "runs.html").read_text(encoding="utf-8")).text
    assert (saved / "runs.md").read_text(encoding="utf-8").startswith("### What changes from main\n")


def test_text_keeps_to_its_width(runs: list[NamedReport], unlike: list[NamedReport]):
    for width in (72, 100):
        for its in (runs, unlike, unlike[::-1]):
            assert max(map(len, text_of_runs(its, width).splitlines())) <= width
    assert "\x1b" not in text_of_runs(runs)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["main.json", "no.json"], "cannot read no.json"),
        (["main.json"] * 9, "9 files: at most 8 runs are compared"),
        (["main.json", "change.json", "--out", "all"], "--out is for one report"),
        (["main.json", "change.json", "--baseline", "main.json"], "--baseline is for one report"),
        (["main.json", "change.json", "--html", "main.json"], "it is the input itself"),
        (["main.json", "study.json"], "an experiment, and a report is wanted here"),
    ],
)
def test_what_cannot_be_compared_is_refused(saved: Path, arguments: list[str], complaint: str):
    (saved / "study.json").write_text('{"format": "slosim-compare/1"}')
    ran = slosim("report", *arguments, cwd=saved)

    assert ran.returncode == 2
    assert complaint in ran.stderr
    assert not (saved / "all").exists()


# ---- in a browser ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "runs.html"
    path.write_text(html, encoding="utf-8")
    return path


def test_the_page_of_a_report_shows_what_changes_from_a_baseline(runs: list[NamedReport], page: Page):
    first, second = runs[:2]
    alone = Page(html_of(second.data, "orders.yaml", first))
    assert "changes" in alone.ids
    assert "changes-1" in alone.charts
    changed = page.charts["changes-1"]["rows"]["rows"]
    assert alone.charts["changes-1"]["rows"]["rows"] == changed
    assert {*changed["before"], *changed["after"], *changed["by"]} <= set(alone.cells)
    assert "services.payment.retry.maximum_attempts" in alone.cells
    assert "changes" not in Page(html_of(second.data, "orders.yaml")).ids


@needs_browser
def test_a_page_with_a_baseline_draws_without_a_complaint(
    browser: Browser, runs: list[NamedReport], tmp_path: Path
):
    (tmp_path / "a.html").write_text(html_of(runs[1].data, None, runs[0]), encoding="utf-8")
    browser.look(width=360, mobile=True)
    browser.open(tmp_path / "a.html")
    assert browser.run("return document.documentElement.scrollWidth") == 360
    assert browser.canvas("changes-1")[3] > 300
    assert browser.complaints() == []


@needs_browser
def test_everything_shows_without_a_complaint_or_a_request(browser: Browser, page: Page, file: Path):
    browser.look()
    browser.open(file)
    for key in page.charts:
        x, _, width, height = browser.canvas(key)
        assert (x >= 0, width > 900, height > 100) == (True, True, True), key
    assert browser.complaints() == []
    assert set(browser.requests()) == {file.as_uri()}


@needs_browser
def test_hovering_the_forest_tells_before_and_after(browser: Browser, file: Path):
    browser.look()
    browser.open(file)
    x, y, width, _ = browser.canvas("changes-1")
    browser.run("window.scrollTo(0, document.getElementById('changes-1').offsetTop)")
    x, y, width, _ = browser.run(
        "const box = document.querySelector('#changes-1 canvas').getBoundingClientRect();"
        "return [box.x, box.y, box.width, box.height]"
    )
    for at in (0.3, 0.7):
        browser.mouse("mouseMoved", x + at * width, y + 34 * 4.5)
    told = browser.wait(
        "const tip = document.querySelector('#vg-tooltip-element.visible'); return tip && tip.innerText"
    )
    cells = dict(line.split("\t") for line in told.splitlines())
    assert cells == {
        "number": "fulfilment p95",
        "before": "4.48 s",
        "after": "34.9 s",
        "change": "+678% [+571, +803]",
        "effect": "worse",
    }


@needs_browser
def test_zooming_one_chart_over_time_moves_all_of_them(browser: Browser, file: Path):
    browser.look()
    browser.open(file)
    linked, alone = ("lag-0", "age_s-1", "waiting-1", "budget-0"), "latency-0"
    before = {key: browser.picture(key) for key in (*linked, alone)}
    x, y, width, height = browser.canvas("lag-1")
    browser.drag((x + 0.4 * width, y + 0.4 * height), (x + 0.6 * width, y + 0.4 * height))
    for key in linked:
        browser.wait(
            "return document.querySelector(`#${arguments[0]} canvas`).toDataURL() !== arguments[1]",
            *(key, before[key]),
        )
    assert browser.picture(alone) == before[alone]
    assert browser.run("return document.getElementById('shown').textContent") != "0s to 2h"
    assert browser.complaints() == []


@needs_browser
@pytest.mark.parametrize(("width", "scheme"), [(1100, LIGHT), (360, DARK)])
def test_nothing_keeps_people_from_reading_it(browser: Browser, file: Path, width: int, scheme: str):
    browser.look(width=width, scheme=scheme, mobile=width < 400)
    browser.open(file)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    found = browser.run(CONTRAST)
    assert found["seen"] > 200
    assert found["poor"] == []
    assert browser.barriers() == []


@needs_browser
def test_on_a_phone_names_of_runs_are_not_broken_into_letters(
    browser: Browser, runs: list[NamedReport], tmp_path: Path
):
    named = [NamedReport(f"pull-request-4711-{number}", run.data) for number, run in enumerate(runs)]
    (tmp_path / "a.html").write_text(html_of_runs(named), encoding="utf-8")
    browser.look(width=360, mobile=True)
    browser.open(tmp_path / "a.html")
    lines = browser.run(
        "return [...document.querySelectorAll('.outcomes tbody th bdi')]"
        ".map(name => name.getClientRects().length)"
    )
    assert lines
    assert set(lines) == {1}


@needs_browser
def test_unlike_runs_draw_without_a_complaint(browser: Browser, unlike: list[NamedReport], tmp_path: Path):
    hostile = NamedReport(HOSTILE, data_of(HOSTILE_SCENARIO))
    (tmp_path / "a.html").write_text(html_of_runs([*unlike, hostile]), encoding="utf-8")
    browser.look(width=360, mobile=True)
    browser.open(tmp_path / "a.html")
    assert browser.run("return document.documentElement.scrollWidth") == 360
    assert browser.run("return window.pwned === undefined && document.querySelectorAll('img').length === 0")
    assert browser.complaints() == []


def test_the_same_report_twice_is_no_change():
    data = data_of(KEPT)
    page = Page(html_of_runs([NamedReport("a", data), NamedReport("b", copy.deepcopy(data))]))

    assert "Nothing changes clearly" in page.text
    assert "Nothing: it is the same scenario." in page.text
