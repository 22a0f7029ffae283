"""The HTML report: a file that opens from disk, shows the numbers of the JSON, and loads nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import math
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import slosim as library
from browser import DARK, LIGHT, Browser, needs_browser
from slosim.html.drawing import drawing
from slosim.html.graph import graph_of
from slosim.html.report import content, html_of
from slosim.html.series import begun, budget_left, per_second, spectrum, thinned
from slosim.report.text_tables import faults_columns, line_rows, services_columns, topics_columns
from slosim.report.units import share, short
from test_cli import BROKEN, ENVIRONMENT, ROOT, SMALL, slosim, written

SECTIONS = (
    "objectives", "findings", "system", "latency", "budget", "backlog", "instances-section", "faults",
    "event-lag-section", "failures", "stations", "theory", "scenario", "provenance",
)  # fmt: skip
MOST_BYTES = 2_500_000
HOSTILE = (
    "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned=1'>\"q' & אבג {{7*7}} 🦄"
)
HOSTILE_SCENARIO = f"""
name: {json.dumps(HOSTILE, ensure_ascii=False)}
description: {json.dumps(HOSTILE, ensure_ascii=False)}
run: {{duration: 10m, warmup: 1m, replications: 2}}
topics: {{jobs: {{}}}}
producers: {{p: {{topic: jobs, arrivals: {{poisson: 2/s}}}}}}
services: {{s: {{consumes: jobs, service_time: {{exponential: 100ms}}}}}}
faults:
  - name: {json.dumps(HOSTILE, ensure_ascii=False)}
    at: 4m
    for: 1m
    target: services.s
    effect: {{slowdown: 8x}}
objectives:
  - {{name: {json.dumps(HOSTILE, ensure_ascii=False)}, flow: p, within: 1s, target: 99%}}
"""


class Page(HTMLParser):
    """What a page holds: text by element, attributes that load something, ids."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.text = ""
        self.cells: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else self._inside
        if tag == "script":
            self.scripts.append("")
        elif tag == "style":
            self.styles.append("")
        elif tag in ("td", "th"):
            self.cells.append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside = ""
        if tag in ("td", "th"):
            self._cell = False

    _cell = False

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside == "style":
            self.styles[-1] += data
        else:
            self.text += data
            if self._cell:
                self.cells[-1] += data

    @property
    def ids(self) -> set[str | None]:
        return {attributes.get("id") for _, attributes in self.tags}

    def meta(self, name: str) -> str:
        return next(
            a["content"] or "" for tag, a in self.tags if tag == "meta" and a.get("http-equiv") == name
        )

    @property
    def charts(self) -> dict:
        return json.loads(self.scripts[0])


@pytest.fixture(scope="module")
def orders() -> dict:
    """The report of the orders example, as data."""
    return json.loads(library.run(library.load(ROOT / "examples" / "orders.yaml")).to_json())


@pytest.fixture(scope="module")
def orders_html(orders: dict) -> str:
    return html_of(orders, "orders.yaml")


@pytest.fixture(scope="module")
def page(orders_html: str) -> Page:
    return Page(orders_html)


@pytest.fixture(scope="module")
def hostile() -> dict:
    return json.loads(library.run(library.loads(HOSTILE_SCENARIO)).to_json())


# ---- what is in the file -----------------------------------------------------------------------------------


def test_every_section_is_there_and_the_verdict_comes_first(page: Page, orders: dict):
    assert page.ids >= {*SECTIONS}
    assert "MISSED. 1 of 4 objectives missed: no order is lost" in page.text
    assert page.text.index("MISSED.") < page.text.index("Objectives\n")
    for finding in orders["findings"]:
        assert finding["text"] in page.text
    assert orders["scenario"]["digest"] in page.text
    assert "slosim run orders.yaml --seed 1337 --replications 10" in page.text


def test_the_file_is_small_enough_for_a_mail(orders_html: str):
    assert len(orders_html.encode()) < MOST_BYTES


def test_nothing_is_loaded_and_only_our_script_and_style_are_allowed(page: Page, orders_html: str):
    policy = dict(part.split(" ", 1) for part in page.meta("Content-Security-Policy").split("; "))
    data, script = page.scripts
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'{sha256(script)}'"
    assert policy["style-src"] == f"'{sha256(page.styles[0])}'"
    assert policy["img-src"] == "data:"
    assert not re.search("[<>&]", data)
    for tag, attributes in page.tags:
        assert "style" not in attributes, tag  # the policy would refuse it
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            if attributes.get(name):
                assert attributes[name].startswith(("#", "data:")), (tag, attributes[name])


def sha256(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def test_tiles_and_tables_show_the_numbers_of_the_text_report(page: Page, orders: dict):
    for objective in orders["objectives"]:
        assert share(objective["error_budget"]["remaining_in_run_ratio"]["value"]) in page.text
    for columns in (
        services_columns(orders),
        topics_columns(orders),
        faults_columns(orders["faults"], orders["run"]),
    ):
        cells = [cell for column in columns if column.title for cell in column.cells if cell]
        assert len(cells) > 5
        assert set(cells) <= set(page.cells)


def test_charts_show_values_of_the_json_and_no_others(page: Page, orders: dict):
    reported = numbers_of({key: orders[key] for key in orders if key != "scenario"})
    known = {0.0, *(as_drawn for value in reported for as_drawn in (value, float(f"{value:.6g}")))}
    known_ms = {1e3 * number for number in known}
    derived = ("nines", "left")  # places on an axis; what the next tests compute anew
    rates = ("failed", "retried", "attempts")  # tested below
    seen = 0
    for key, chart in page.charts.items():
        for rows in chart["rows"].values():
            for name, values in rows.items():
                if name in derived or (name in rates and key.startswith("failures-")):
                    continue
                found = [value for value in values if isinstance(value, int | float)]
                assert set(found) <= (known_ms if name in ("t", "until") else known), (key, name)
                seen += len(found)
    assert seen > 10_000


def numbers_of(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from numbers_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers_of(inner)
    elif isinstance(value, int | float):
        yield float(value)


def test_the_budget_burns_down_to_what_the_report_says_is_left(orders: dict):
    for objective in orders["objectives"]:
        left = budget_left(objective, orders["run"]["warmup_s"])["left"]
        assert left[0] == pytest.approx(1.0, abs=0.01)
        assert left == sorted(left, reverse=True)
        assert left[-1] == pytest.approx(objective["error_budget"]["remaining_in_run_ratio"]["value"])


def test_each_point_of_a_spectrum_is_true_of_what_was_counted(orders: dict):
    stat = orders["flows"]["fulfilment"]["latency_s"]
    points = spectrum(stat)
    upper, counts = stat["histogram"]["upper"], stat["histogram"]["count"]
    for nines, p, seconds in zip(points["nines"], points["p"], points["s"], strict=True):
        within = sum(count for edge, count in zip(upper, counts, strict=True) if edge <= seconds)
        assert p == within / stat["count"]
        assert nines == pytest.approx(-math.log10(1 - p), rel=1e-9)
    for key, p in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        at = next(s for share_of_all, s in zip(points["p"], points["s"], strict=True) if share_of_all >= p)
        assert at == pytest.approx(stat[key]["value"], rel=0.03)  # a pixel of the chart holds some buckets


def test_the_line_of_a_spectrum_begins_where_times_are_no_longer_zero():
    stat = {"count": 10, "histogram": {"upper": [2.0**-30, 1.0, 2.0], "count": [5, 4, 1]}}
    assert spectrum(stat) == {"nines": [pytest.approx(1.0)], "p": [0.9], "s": [1.0]}
    assert begun(spectrum(stat), stat) == {"nines": [math.log10(2), pytest.approx(1.0)], "s": [1.0, 1.0]}


@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=400), st.integers(1, 60))
def test_thinning_loses_no_peak_and_no_order(values: list, pixels: int):
    columns = {"t_s": [float(index) for index in range(len(values))], "v": values}
    thin = thinned(columns, pixels)
    assert thin["t_s"] == sorted(thin["t_s"])
    assert len(thin["t_s"]) <= max(2 * pixels + 2, 2)
    kept, known = ([v for v in its if v is not None] for its in (thin["v"], values))
    assert [max(kept, default=None), min(kept, default=None)] == [
        max(known, default=None),
        min(known, default=None),
    ]
    assert all(values[int(time)] == value for time, value in zip(thin["t_s"], thin["v"], strict=True))


def test_the_drawing_holds_the_system_and_marks_its_limit(orders: dict):
    graph = graph_of(orders)
    assert {key: node.kind for key, node in graph.nodes.items()} == {
        "producers.checkout": "producer",
        "topics.payments.dlq": "topic",
        "services.orders": "service",
        "services.payment": "service",
        "services.inventory": "service",
        "services.shipping": "service",
    }
    assert {(edge.source, edge.target, edge.style) for edge in graph.edges} == {
        ("producers.checkout", "services.orders", "flow"),
        ("services.orders", "services.payment", "flow"),
        ("services.payment", "services.inventory", "flow"),
        ("services.payment", "topics.payments.dlq", "dead"),
        ("services.inventory", "services.shipping", "flow"),
    }
    assert {key for key, node in graph.nodes.items() if node.mark} == {"services.shipping"}
    assert (
        graph.nodes["services.payment"].used_ratio
        == orders["services"]["payment"]["utilisation_ratio"]["value"]
    )


LOOP = """
name: loop
run: {duration: 1m}
topics: {a: {}, b: {}, both: {}, dead: {}}
producers: {p: {topic: a, arrivals: {poisson: 5/s}}, q: {topic: both, arrivals: {poisson: 1/s}}}
services:
  first: {consumes: [a, both], service_time: {exponential: 10ms}, emits: b, dead_letter: dead}
  second:
    consumes: b
    service_time: {exponential: 10ms}
    emits: [{topic: a, probability: 10%}, {topic: b, probability: 5%}, {topic: both, probability: 1%}]
  third: {consumes: both, service_time: {exponential: 10ms}}
"""


@pytest.mark.parametrize("downwards", [False, True], ids=["onwards", "downwards"])
@pytest.mark.parametrize("name", ["order-saga", "loop"])
def test_boxes_of_the_drawing_lie_inside_it_and_apart(name: str, downwards: bool):
    path = ROOT / "examples" / f"{name}.yaml"
    scenario = library.loads(LOOP) if name == "loop" else library.load(path, overrides=["run.replications=1"])
    graph = graph_of(json.loads(library.run(scenario).to_json()))
    root = ElementTree.fromstring(drawing(graph, downwards))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    boxes = [
        [float(group.find("rect").attrib[key]) for key in ("x", "y", "width", "height")]
        for group in root.findall("g")
        if group.attrib["class"].startswith("node")
    ]
    assert len(boxes) == len(graph.nodes)
    for x, y, across, down in boxes:
        assert (x > 0, y > 0, x + across < width, y + down < height) == (True,) * 4
    for (x0, y0, w0, h0), (x1, y1, w1, h1) in combinations(boxes, 2):
        assert x0 + w0 < x1 or x1 + w1 < x0 or y0 + h0 < y1 or y1 + h1 < y0


def test_names_of_any_kind_arrive_as_text(hostile: dict):
    html = html_of(hostile, HOSTILE)
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert "img" not in [tag for tag, _ in page.tags]
    shown = " ".join(HOSTILE.split())
    assert page.text.count(HOSTILE) + page.text.count(shown) >= 4
    assert "{{7*7}}" in page.text


@pytest.mark.parametrize("example", sorted(path.stem for path in (ROOT / "examples").glob("*.yaml")))
def test_every_example_has_a_page(example: str):
    scenario = library.load(ROOT / "examples" / f"{example}.yaml", overrides=["run.replications=1"])
    data = json.loads(library.run(scenario).to_json())
    page = Page(html_of(data, None))
    assert page.ids >= {*SECTIONS} - {"faults"}
    assert "undefined" not in page.text
    assert "None" not in page.cells


@pytest.mark.parametrize(
    "scenario",
    [
        SMALL,
        BROKEN,
        SMALL + "objectives: [{name: always, flow: p, target: 100%}]\n",
        SMALL.replace("poisson: 2/s", "every: 9m") + "objectives: [{name: q, flow: p, target: 9%}]\n",
        SMALL.replace("replications: 2", "replications: 1"),
    ],
    ids=["no objective", "missed", "no budget", "hardly any message", "one replication"],
)  # fmt: skip
def test_pages_of_poor_reports(scenario: str):
    data = json.loads(library.run(library.loads(scenario)).to_json())
    data["run"] |= {"ended_s": 60.0, "stopped": "interrupted"}
    page = Page(html_of(data, None))
    assert "Stopped early, at 1m: interrupted" in page.text
    assert page.charts.keys() >= {"lag-0", "age", "busy"}


def test_a_report_without_a_single_sample_has_a_page():
    data = json.loads(library.run(library.loads(BROKEN)).to_json())
    for holder in (*data["objectives"], *data["services"].values(), data["topics"]["jobs"]["consumers"]["s"]):
        holder["series"] = {name: [] for name in holder["series"]}
    page = Page(html_of(data, None))
    assert page.charts.keys() == {"latency-0", "event-lag"}


def test_mechanisms_and_dependencies_have_charts_where_they_did_anything():
    scenario = library.load(ROOT / "examples" / "shared-database.yaml", overrides=["run.replications=1"])
    data = json.loads(library.run(scenario).to_json())
    rows = Page(html_of(data, None)).charts["requests"]["rows"]["rows"]
    assert max(rows["s0"]) == max(data["dependencies"]["database"]["series"]["waiting"]) > 100
    assert graph_of(data).nodes["dependencies.database"].mark == "overloaded"


def test_failures_over_time_have_a_chart_where_anything_failed():
    """Rates times lengths are the counts, where there are fewer samples than pixels."""
    overrides = ["run.replications=2", "run.sample_every=30s"]
    report = library.run(library.load(ROOT / "examples" / "orders.yaml", overrides=overrides))
    page = Page(html_of(report.data, None))
    services = report.data["services"]
    assert [name for name in services if any(services[name]["series"]["failed"])] == ["payment", "inventory"]
    assert [key for key in page.charts if key.startswith("failures-")] == ["failures-1", "failures-2"]
    assert "failures-over-time" in page.ids
    series, rows = services["payment"]["series"], page.charts["failures-1"]["rows"]["rows"]
    every_s = series["t_s"][1]
    for name in ("failed", "retried", "attempts"):
        assert every_s * sum(rows[name]) == pytest.approx(sum(series[name]))
    assert max(rows["failed"]) > max(rows["retried"]) > 0
    assert rows["failed text"][0] == short(rows["failed"][0])


def test_without_failures_nothing_is_said_of_them_over_time():
    data = json.loads(library.run(library.loads(SMALL)).to_json())
    page = Page(html_of(data, None))
    assert not any(any(one["series"]["failed"]) for one in data["services"].values())
    assert not any(key.startswith("failures-") for key in page.charts)
    assert "failures-over-time" not in page.ids


def test_what_happens_at_the_first_sample_belongs_to_the_first_interval():
    series = {"t_s": [0.0, 2.0, 4.0], "failed": [1.0, 2.0, 8.0]}
    assert per_second(series, ["failed"]) == {"t_s": [2.0, 4.0], "failed": [1.5, 4.0]}
    assert per_second({"t_s": [0.0], "failed": [1.0]}, ["failed"]) == {"t_s": [], "failed": []}
    assert per_second({"t_s": [], "failed": []}, ["failed"]) == {"t_s": [], "failed": []}


def test_the_same_report_is_the_same_page(orders: dict, orders_html: str):
    assert html_of(json.loads(json.dumps(orders)), "orders.yaml") == orders_html


# ---- the command line --------------------------------------------------------------------------------------


def test_a_page_by_run_by_out_and_from_a_saved_report_is_the_same(tmp_path: Path):
    scenario = written(tmp_path, SMALL)
    ran = slosim("run", scenario, "-q", "--html", tmp_path / "a.html", "--out", tmp_path / "out")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") == page
    ran = slosim("report", tmp_path / "out" / "report.json", "-q", "--html", tmp_path / "b.html")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    again = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert again.replace("SCENARIO.yaml", "scenario.yaml") == page


def test_a_saved_report_is_printed_again(tmp_path: Path):
    scenario = written(tmp_path, SMALL)
    ran = slosim("run", scenario, "--json", tmp_path / "run.json")
    again = slosim("report", tmp_path / "run.json")
    assert again.returncode == 0
    assert again.stdout.replace("SCENARIO.yaml", "scenario.yaml") == ran.stdout


def test_check_writes_a_page_and_still_fails(tmp_path: Path):
    ran = slosim("check", written(tmp_path, BROKEN), "-q", "--html", tmp_path / "a.html")
    assert ran.returncode == 99
    assert "MISSED" in (tmp_path / "a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no JSON", "not JSON"),
        ('{"format": "\\ud800"}', "not JSON ('utf-8' codec can't encode"),
        ('{"format": 1e999}', "not JSON (1e999 is no finite number"),
        ("[1, 2]", "not a report: expected a report as `slosim run SCENARIO --json FILE` writes it"),
        ('{"format": "slosim-frobnicate/1"}', "a slosim-frobnicate/1: expected a report"),
        (
            '{"format": "slosim-report/0"}',
            "of format slosim-report/0, and this slosim reads slosim-report/1. Run its scenario",
        ),
        ('{"format": "slosim-report/1", "run": {}}', "not a whole report, "),
    ],
)
def test_what_is_no_report_of_this_version_is_refused(tmp_path: Path, text: str, complaint: str):
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    ran = slosim("report", tmp_path / "run.json", "-q", "--html", tmp_path / "a.html")
    assert ran.returncode == 2
    assert complaint in ran.stderr
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize(
    ("place", "put", "complaint"),
    [
        ("services.s.wait_s.p99", None, 'services.s.wait_s: "p99" is a required property: expected a report'),
        ("flows.p.started.value", "many", 'flows.p.started.value: "many" is not of types'),
        ("flows.p.started.value", math.nan, "not JSON (NaN is no finite number)"),
        ("flows.p.\ud800", 1, "not JSON ('utf-8' codec can't encode"),
        ("scenario.resolved.services", None, "what is in it does not fit together (KeyError: 'services')"),
    ],
)
def test_a_report_that_was_damaged_is_told_as_such(tmp_path: Path, place: str, put: object, complaint: str):
    data = json.loads(library.run(library.loads(SMALL)).to_json())
    *places, last = place.split(".")
    holder = functools.reduce(lambda its, key: its[key], places, data)
    if put is None:
        del holder[last]
    else:
        holder[last] = put
    (tmp_path / "run.json").write_text(json.dumps(data), encoding="utf-8")
    ran = slosim("report", tmp_path / "run.json", "-q", "--html", tmp_path / "a.html")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert complaint in ran.stderr
    assert not (tmp_path / "a.html").exists()


def test_reports_of_earlier_versions_are_shown(tmp_path: Path):
    data = json.loads(library.run(library.loads(SMALL)).to_json())
    del data["left_out"]
    for one in data["services"].values():
        for column in ("attempts", "failed", "retried"):
            del one["series"][column]
    (tmp_path / "run.json").write_text(json.dumps(data), encoding="utf-8")
    ran = slosim(
        "report", tmp_path / "run.json", "-q", "--out", tmp_path / "out", "--baseline", tmp_path / "run.json"
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Backlog" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_file_is_for_one_output_and_never_for_what_is_read(tmp_path: Path):
    scenario = written(tmp_path, SMALL)
    assert slosim("run", scenario, "-q", "--json", tmp_path / "run.json").returncode == 0
    kept = (tmp_path / "run.json").read_bytes()
    for arguments, complaint in (
        (["--json", "a", "--html", "./a"], "cannot write a: two outputs are to go there"),
        (["--out", "all", "--json", "all/report.html"], "two outputs are to go there"),
        (
            ["--html", "run.json", "--baseline", "run.json"],
            "cannot write run.json: it is the baseline",
        ),
        (["--out", "-"], "- is stdout, and several files are written here: name a folder"),
        (["--charts", "run.json"], "cannot make the folder run.json: it is a file"),
    ):
        ran = slosim("run", scenario, *arguments, cwd=tmp_path)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert complaint in ran.stderr
    assert (tmp_path / "run.json").read_bytes() == kept
    assert not (tmp_path / "a").exists()
    (tmp_path / "loop").symlink_to("loop")
    assert slosim("run", scenario, "-q", "--html", "loop", cwd=tmp_path).returncode == 0
    assert (tmp_path / "loop").stat().st_size > 100_000
    twice = ["--out", "all", "--json", "all/report.json", "--html", os.devnull, "--markdown", os.devnull]
    assert slosim("run", scenario, "-q", *twice, cwd=tmp_path).returncode == 0


def test_a_scenario_whose_name_is_no_utf_8_has_a_page(tmp_path: Path):
    scenario = os.fsencode(tmp_path) + b"/n\xff.yaml"
    try:
        Path(os.fsdecode(scenario)).write_text(SMALL)
    except OSError:
        pytest.skip("files of this system have names in UTF-8")
    ran = slosim("run", Path(os.fsdecode(scenario)), "-q", "--html", tmp_path / "a.html")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "slosim run 'n?.yaml'" in html.unescape((tmp_path / "a.html").read_text(encoding="utf-8"))


def test_what_is_not_installed_is_told(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['jinja2'] = None\n")
    path = f"{tmp_path}:{ROOT / 'src'}"
    ran = slosim(
        "run", written(tmp_path, SMALL), "-q", "--html", tmp_path / "a.html", env={"PYTHONPATH": path}
    )
    assert ran.returncode == 2
    assert "jinja2, which slosim needs, is not installed" in ran.stderr


def test_a_place_that_cannot_be_written_to_is_refused_before_the_run(tmp_path: Path):
    scenario = written(tmp_path, SMALL)
    for place, complaint in (("no/a.html", "there is no folder"), (scenario, "it is the scenario itself")):
        ran = slosim("run", scenario, "--html", tmp_path / place)
        assert ran.returncode == 2
        assert complaint in ran.stderr
        assert ran.stdout == ""


def test_nothing_of_the_page_is_imported_unless_it_is_asked_for(tmp_path: Path):
    command = [sys.executable, "-X", "importtime", "-m", "slosim", "run", str(written(tmp_path, SMALL)), "-q"]
    ran = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, text=True, capture_output=True, check=True)
    imported = {line.rsplit("|", 1)[1].strip() for line in ran.stderr.splitlines() if "|" in line}
    assert "slosim.report.report" in imported
    assert not imported & {"jinja2", "vl_convert", "slosim.html"}


# ---- in a browser ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(orders_html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(orders_html, encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, file: Path) -> Browser:
    """A browser that shows the orders report, in light colours and 1100 pixels wide."""
    browser.look()
    browser.open(file)
    return browser


@needs_browser
def test_everything_shows_without_a_complaint_or_a_request(opened: Browser, page: Page, file: Path):
    for section in SECTIONS:
        height = opened.run("return document.getElementById(arguments[0]).offsetHeight", section)
        assert height > 60, section
    for key in page.charts:
        x, _, width, height = opened.canvas(key)
        assert (x >= 0, width > 900, height > 100) == (True, True, True), key
        assert opened.colours(key) > 10, f"{key} is blank"
    assert opened.complaints() == []
    assert set(opened.requests()) == {file.as_uri()}


@needs_browser
def test_hovering_tells_the_values_at_that_time(opened: Browser, page: Page):
    x, y, width, height = opened.canvas("lag-1")
    opened.mouse("mouseMoved", x + 0.5 * width, y + 0.5 * height)
    opened.mouse("mouseMoved", x + 0.42 * width, y + 0.5 * height)
    told = opened.wait(
        "const tip = document.querySelector('#vg-tooltip-element.visible'); return tip && tip.innerText"
    )
    cells = dict(line.split("\t") for line in told.splitlines() if "\t" in line)
    rows = page.charts["lag-1"]["rows"]["rows"]
    pairs = set(zip(rows["lag text"], rows["waiting text"], strict=True))
    assert (cells["lag"], cells["waiting"]) in pairs, told
    assert re.fullmatch(r"(\d+h)?(\d+m)?([\d.]+s)?", cells["at time"]), told


@needs_browser
def test_zooming_one_chart_over_time_moves_all_of_them(opened: Browser):
    linked, alone = ("lag-0", "age", "instances", "busy", "budget-0"), "event-lag"
    before = {key: opened.picture(key) for key in (*linked, alone)}
    shown = opened.run("return document.getElementById('shown').textContent")
    assert shown == "0s to 2h"
    x, y, width, height = opened.canvas("lag-1")
    opened.drag((x + 0.4 * width, y + 0.4 * height), (x + 0.6 * width, y + 0.4 * height))
    opened.wait("return document.getElementById('shown').textContent !== arguments[0]", shown)
    for key in linked:
        opened.wait(
            "return document.querySelector(`#${arguments[0]} canvas`).toDataURL() !== arguments[1]",
            key,
            before[key],
        )
    assert opened.picture(alone) == before[alone]
    x, y, width, height = opened.canvas("age")
    opened.double_click(x + 0.5 * width, y + 0.5 * height)
    opened.wait("return document.getElementById('shown').textContent === arguments[0]", shown)
    assert opened.complaints() == []


@needs_browser
def test_zooming_works_by_keyboard_alone(opened: Browser):
    names = []
    for _ in range(80):
        opened.key("Tab", 9)
        names.append(
            opened.run("return document.activeElement.dataset.zoom || document.activeElement.tagName")
        )
        if names[-1] == "closer":
            break
    assert names[-3:] == ["earlier", "later", "closer"]
    assert {"A", "DIV", "SUMMARY"} <= set(names)
    opened.key("Enter", 13, "\r")
    opened.wait("return document.getElementById('shown').textContent === '30m to 1h30m'")
    ring = opened.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"


@needs_browser
@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_text_stands_out_from_what_is_behind_it(browser: Browser, file: Path, scheme: str):
    """WCAG AA: a contrast of 4.5, of 3 for large text."""
    browser.look(scheme=scheme)
    browser.open(file)
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == LIGHT)
    corner = browser.run(
        "const canvas = document.querySelector('#age canvas');"
        "return `rgb(${[...canvas.getContext('2d').getImageData(0, 0, 1, 1).data].slice(0, 3).join(', ')})`"
    )
    assert corner == background
    found = browser.run(CONTRAST)
    assert found["seen"] > 300
    assert found["poor"] == []


CONTRAST = """
const parsed = text => (text.match(/[\\d.]+/g) || []).map(Number);
const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) =>
  0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
function behind(element) {
  const box = element.closest("g.node")?.querySelector("rect");
  if (box && !element.classList.contains("mark")) return parsed(getComputedStyle(box).fill);
  for (let one = element; one; one = one.parentElement) {
    const colour = parsed(getComputedStyle(one).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
}
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), poor = [];
let seen = 0;
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement, text = node.textContent.trim();
  if (!text || element.closest("script, style, title, noscript, [hidden]")) continue;
  if (!element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  const colour = parsed(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
  const [brighter, darker] = [luminance(colour), luminance(behind(element))].sort((a, b) => b - a);
  const ratio = (brighter + 0.05) / (darker + 0.05);
  seen += 1;
  if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${text}`);
}
return {seen, poor};
"""


@needs_browser
@pytest.mark.parametrize(("width", "scheme"), [(1100, LIGHT), (360, DARK)])
def test_nothing_keeps_people_from_reading_it(browser: Browser, file: Path, width: int, scheme: str):
    browser.look(width=width, scheme=scheme, mobile=width < 400)
    browser.open(file)
    assert browser.barriers() == []


@needs_browser
def test_dark_comes_while_the_page_is_open(opened: Browser):
    before = opened.picture("age")
    opened.look(scheme=DARK)
    opened.wait("return document.querySelector('#age canvas').toDataURL() !== arguments[0]", before)
    assert opened.complaints() == []


@needs_browser
def test_a_phone_needs_no_scrolling_to_the_side(browser: Browser, file: Path, page: Page):
    browser.look(width=360, height=740, mobile=True)
    browser.open(file)
    assert browser.run("return document.documentElement.scrollWidth") == 360
    for key in page.charts:
        x, _, width, _ = browser.canvas(key)
        assert x >= 0
        assert x + width <= 360
    assert browser.run("return getComputedStyle(document.querySelector('.system.onwards')).display") == "none"
    assert (
        browser.run("return document.querySelector('.system.downwards').getBoundingClientRect().right") <= 360
    )


@needs_browser
def test_hostile_names_do_nothing_in_the_browser_either(browser: Browser, hostile: dict, tmp_path: Path):
    (tmp_path / "a.html").write_text(html_of(hostile, HOSTILE), encoding="utf-8")
    browser.look()
    browser.open(tmp_path / "a.html")
    x, y, width, height = browser.canvas("budget-0")
    for at in (0.3, 0.45, 0.47):
        browser.mouse("mouseMoved", x + at * width, y + 0.3 * height)
    browser.wait("return document.querySelector('#vg-tooltip-element.visible') !== null")
    assert browser.run("return window.pwned === undefined && document.querySelectorAll('img').length === 0")
    assert HOSTILE.split(" & ")[0] in browser.run("return document.querySelector('h1').textContent")
    assert browser.complaints() == []


@needs_browser
@pytest.mark.parametrize(
    "scenario",
    [SMALL, BROKEN, SMALL.replace("poisson: 2/s", "every: 9m")],
    ids=["no objective", "missed", "one"],
)
def test_poor_reports_draw_without_a_complaint(browser: Browser, scenario: str, tmp_path: Path):
    data = json.loads(library.run(library.loads(scenario)).to_json())
    (tmp_path / "a.html").write_text(html_of(data), encoding="utf-8")
    browser.look()
    browser.open(tmp_path / "a.html")
    assert browser.complaints() == []


@needs_browser
@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_charts_are_vectors_on_paper(browser: Browser, file: Path, page: Page, scheme: str):
    browser.look(scheme=scheme)
    browser.open(file)
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF")
    assert b"/Subtype /Image" not in pdf  # a canvas would be one
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    shown = "return document.querySelectorAll('.chart > svg').length === arguments[0]"
    browser.wait(shown, len(page.charts))
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert browser.run(shown, 0)
    assert browser.complaints() == []


MANY = "\n".join(
    [
        "name: many",
        "run: {duration: 10m, replications: 2}",
        f"topics: {{{', '.join(f't{number}: {{}}' for number in range(20))}}}",
        "producers: {p: {topic: t0, arrivals: {poisson: 2/s}}}",
        "services:",
        *(
            f"  s{number}: {{consumes: t{number}, service_time: {{exponential: {10 * number + 10}ms}}"
            f"{f', emits: t{number + 1}' if number < 19 else ''}}}"
            for number in range(20)
        ),
    ]
)


def test_no_chart_has_more_lines_than_colours():
    data = json.loads(library.run(library.loads(MANY)).to_json())
    shown = content(data, None)
    assert len(shown["lags"]) == 20
    for key in ("age", "busy", "event_lag"):
        assert len({kind for kind, _ in shown[key].legend}) == len(shown[key].legend) == 8
    assert shown["busy"].title == "Busy slots: the 8 of 20 that change most"
    p99 = {label: line["event_lag_s"]["p99"]["value"] for label, _, line in line_rows(data)}
    assert {name for _, name in shown["event_lag"].legend} == set(sorted(p99, key=p99.__getitem__)[-8:])
    assert len(shown["event_lag"].table.rows) == 20


@needs_browser
def test_what_is_in_sight_is_drawn_first(browser: Browser, tmp_path: Path):
    data = json.loads(library.run(library.loads(MANY)).to_json())
    (tmp_path / "a.html").write_text(html_of(data), encoding="utf-8")
    browser.look()
    watching = browser.command(
        "Page.addScriptToEvaluateOnNewDocument",
        source="window.order = [];"
        "new MutationObserver(changes => {"
        "  for (const one of changes) for (const node of one.addedNodes)"
        "    if (node.tagName === 'CANVAS') window.order.push(node.closest('.chart').id);"
        "}).observe(document, {childList: true, subtree: true});",
    )
    browser.open(tmp_path / "a.html")
    browser.command("Page.removeScriptToEvaluateOnNewDocument", **watching)
    order = list(dict.fromkeys(browser.run("return window.order")))
    down_the_page = browser.run("return [...document.querySelectorAll('.chart')].map(chart => chart.id)")
    assert order == down_the_page
