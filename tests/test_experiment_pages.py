"""Pages of experiments: they show the numbers of the result and no others, draw, and load nothing."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import slosim as library
from browser import DARK, LIGHT, Browser, needs_browser
from slosim.experiments.kinds import FORMATS, KINDS, format_of
from slosim.experiments.page import html_of
from slosim.experiments.result import Result
from slosim.experiments.store import Store
from slosim.experiments.study import Study
from slosim.experiments.sweep.page import binding
from slosim.experiments.sweep.sweep import sweep
from slosim.experiments.vary import parse_axes
from slosim.html import marks
from slosim.report.amounts import with_interval
from slosim.simulation import Progress
from slosim.workers import open_workers
from test_cli import slosim, written
from test_html import CONTRAST, HOSTILE, MOST_BYTES, Page, numbers_of, sha256

SHOP = """
name: shop
run: {duration: 10m, warmup: 1m, replications: 3, seed: 7}
topics: {orders: {}, parcels: {}}
producers: {web: {topic: orders, arrivals: {poisson: 4/s}}}
services:
  packer:
    consumes: orders
    instances: 2
    service_time: {exponential: 300ms}
    cost_per_instance_hour: 0.5
    failures: 1%
    retry: {maximum_attempts: 3}
    emits: parcels
  sender: {consumes: parcels, instances: 3, service_time: {exponential: 400ms}, cost_per_instance_hour: 0.25}
flows: {delivery: {from: web, to: sender}}
objectives:
  - {name: soon, flow: delivery, within: 3s, target: 95%}
  - {name: nothing lost, flow: delivery, target: 99%}
"""
INSTANCES = "services.packer.instances=1..4"
ARRIVALS = "producers.web.arrivals.poisson=2/s,4/s,6/s"
SENDERS = "services.sender.instances=2,3"
Results = dict[str, Result]
Pages = dict[str, str]
Files = dict[str, Path]
DRAIN = "services.packer pause 30s in 3m"
PAGES = ["compare", "sweep1", "sweep2", "sweep3", "sensitivity", "size", "no size", "break"]


def made(text: str) -> Results:
    """A result for each of PAGES."""
    base = library.loads(text)
    return {
        "compare": library.compare(base, base.replace({"services.packer.instances": 4})),
        "sweep1": library.sweep(base, [INSTANCES]),
        "sweep2": library.sweep(base, [INSTANCES, ARRIVALS]),
        "sweep3": library.sweep(base, [SENDERS, INSTANCES, ARRIVALS]),
        "sensitivity": library.sensitivity(base),
        "size": library.size(
            base, ["services.*.instances=1..8"], survive=1, drain="services.packer pause 30s in 3m"
        ),
        "no size": library.size(base, ["services.packer.instances=1..3"], peak=4.0),
        "break": library.find_breaks(base, ["load", "outage", "crash"]),
    }


@pytest.fixture(scope="module")
def results() -> Results:
    return made(SHOP)


@pytest.fixture(scope="module")
def pages(results: Results) -> dict[str, str]:
    return {name: html_of(result.data) for name, result in results.items()}


@pytest.fixture(scope="module")
def files(pages: Pages, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


# ---- what is in the file -----------------------------------------------------------------------------------


def test_the_results_are_worth_showing(results: Results):
    """Otherwise the tests below see little."""
    verdicts = {row["verdict"] for row in results["sweep2"].data["rows"]}
    assert verdicts >= {"met", "missed"}
    assert results["sweep2"].data["flips"]
    assert results["size"].data["answer"] is not None
    assert results["no size"].data["answer"] is None
    assert any(one["breaks"] for one in results["break"].data["stresses"])
    assert any(one["recovery"] for one in results["break"].data["stresses"])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_tells_what_the_text_tells(results: Results, pages: Pages, name: str):
    """Every word of the text that holds a digit; the headline comes first."""
    shown = " ".join(Page(pages[name]).text.split())
    text = results[name].to_text(width=400)
    headline = " ".join(text.split("\n\n")[0].split("\n")[0].split())
    assert shown.index(headline) < shown.index("How it was made")
    told = set(re.findall(r"[^\s░▒▓█]*\d[^\s░▒▓█]*", text))
    assert len(told) >= 20
    assert {word for word in told if word not in shown} == set()


@pytest.mark.parametrize("name", PAGES)
def test_charts_show_values_of_the_json_and_no_others(results: Results, pages: Pages, name: str):
    reported = set(numbers_of(results[name].data))
    known = reported | {float(f"{value:.6g}") for value in reported}
    charts = Page(pages[name]).charts
    assert charts
    seen = 0
    for key, chart in charts.items():
        for rows in chart["rows"].values():
            assert len({len(values) for values in rows.values()}) == 1, key
            for column, values in rows.items():
                found = {float(value) for value in values if isinstance(value, int | float)}
                assert found <= known, (key, column)
                seen += len(found)
    assert seen > 0 or name in ("sweep2", "sweep3")  # maps are of texts and shades: the next test


def test_maps_tell_values_of_the_json(results: Results, pages: Pages):
    rows = results["sweep2"].data["rows"]
    charts = Page(pages["sweep2"]).charts
    shares = [with_interval(row["objectives"][0]["sli_ratio"], "ratio") for row in rows]
    assert charts["map-0"]["rows"]["rows"]["told"] == shares
    times = [with_interval(row["quantities"]["flows.delivery.latency_s.p99"], "s") for row in rows]
    assert charts["map-2"]["rows"]["rows"]["told"] == times
    shown = charts["any"]["rows"]["rows"]
    every = [
        told for number, told in zip(shown["number"], shown["told"], strict=True) if number == "delivery p99"
    ]
    assert every == times


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_and_every_chart_has_its_place(pages: Pages, name: str):
    page = Page(pages[name])
    policy = dict(part.split(" ", 1) for part in page.meta("Content-Security-Policy").split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'{sha256(page.scripts[1])}'"
    assert policy["style-src"] == f"'{sha256(page.styles[0])}'"
    assert len(pages[name].encode()) < MOST_BYTES
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(page.charts) <= set(ids)
    for tag, attributes in page.tags:
        assert "style" not in attributes, tag
        assert not any(word.startswith("on") for word in attributes), tag
        for word in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            assert (attributes.get(word) or "#").startswith(("#", "data:")), (tag, attributes)
    links = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert {link.removeprefix("#") for link in links if link} <= set(ids)


def test_maps_have_a_line_where_the_verdict_flips(results: Results, pages: Pages):
    """Between each cell that is met and one that is not, and nowhere else."""
    data = results["sweep2"].data
    charts = Page(pages["sweep2"]).charts
    down, across = (axis["values"] for axis in data["axes"])
    for key, verdict in (
        ("verdicts-0", lambda row: row["verdict"]),
        ("map-0", lambda row: row["objectives"][0]["verdict"]),
    ):
        met = {tuple(row["values"]): verdict(row) == "met" for row in data["rows"]}
        right = {(x, y) for x, after in pairwise(across) for y in down if met[y, x] != met[y, after]}
        below = {(x, y) for y, after in pairwise(down) for x in across if met[y, x] != met[after, x]}
        assert right | below
        for name, expected in (("right", right), ("below", below)):
            rows = charts[key]["rows"].get(name, {"x": [], "y": []})
            assert set(zip(rows["x"], rows["y"], strict=True)) == expected


def test_a_cell_names_the_objective_that_burns_fastest(results: Results):
    for row in results["sweep2"].data["rows"]:
        rates = {one["name"]: one["burn_rate"]["value"] for one in row["objectives"]}
        hardest = binding(row)
        assert hardest is not None
        assert rates[hardest["name"]] == max(rates.values())


def test_a_target_of_everything_comes_first_where_it_is_missed():
    def entry(name: str, rate: float | None, verdict: str) -> dict:
        return {"name": name, "burn_rate": {"value": rate}, "verdict": verdict}

    missed = [entry("a", 3.0, "missed"), entry("all", None, "missed")]
    assert (binding({"objectives": missed}) or {})["name"] == "all"
    met = [entry("a", 0.3, "met"), entry("all", None, "met")]
    assert (binding({"objectives": met}) or {})["name"] == "a"
    assert binding({"objectives": []}) is None


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.98, 1.03, [0.98, 0.99, 1.0, 1.01, 1.02, 1.03]),
        (0.9, 12.0, [1.0, 2.0, 5.0, 10.0]),
        (0.5, 900.0, [1.0, 10.0, 100.0]),
    ],
)
def test_ticks_of_factors_can_be_read(low: float, high: float, ticks: list[float]):
    assert marks.factor_ticks(low, high) == ticks


def test_many_variants_are_cut_and_said_to_be(results: Results):
    data = json.loads(results["sweep2"].to_json())
    row, others = data["rows"][0], data["axes"][1]["values"]
    for count, said in (
        (600, "The first 1,000; 800 more are in the files."),
        (1_800, "3 more maps are not drawn"),
    ):
        values = [str(number) for number in range(count)]
        data["axes"][0]["values"] = values
        data["rows"] = [{**row, "values": [value, other]} for value in values for other in others]
        html = html_of(data)
        assert said in html
        assert len(html.encode()) < 2 * MOST_BYTES


# ---- hostile names -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile() -> dict[str, str]:
    """Pages of a scenario whose names are markup, quotes, right-to-left letters and pictures."""
    name = json.dumps(HOSTILE, ensure_ascii=False)
    text = SHOP.replace("name: shop", f"name: {name}").replace("name: soon", f"name: {name}")
    return {name: html_of(result.data) for name, result in made(text).items()}


@pytest.mark.parametrize("name", PAGES)
def test_hostile_names_are_text(hostile: Pages, name: str):
    page = Page(hostile[name])
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert len(page.scripts) == 2
    assert not re.search("[<>&]", page.scripts[0])
    assert HOSTILE in page.text


# ---- the command line, and files ---------------------------------------------------------------------------

COMMANDS = {
    "compare": ["--set", "services.packer.instances=4"],
    "sweep": ["--vary", INSTANCES],
    "sensitivity": ["--by", "20%"],
    "size": ["--vary", "services.packer.instances=1..6", "--ignore", "nothing lost"],
    "break": ["--only", "load", "--without-faults"],
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_page_by_the_command_and_from_its_file_is_the_same(tmp_path: Path, kind: str):
    scenario = written(tmp_path, SHOP)
    kept, page, again = tmp_path / "kept.json", tmp_path / "a.html", tmp_path / "b.html"
    ran = slosim(kind, scenario, *COMMANDS[kind], "--json", kept, "--html", page, "-q", "--replications", "2")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    ran = slosim("report", kept, "-q", "--html", again)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    html = page.read_text(encoding="utf-8")
    assert again.read_text(encoding="utf-8") == html
    command = json.loads(kept.read_text(encoding="utf-8"))["command"]
    assert command.startswith(f"slosim {kind} scenario.yaml ")
    assert command.endswith("--replications 2")
    assert command in Page(html).text


def test_a_page_and_a_table_go_to_stdout_alone(tmp_path: Path):
    command = ["sweep", written(tmp_path, SHOP), *COMMANDS["sweep"], "--replications", "2"]
    table, page = tmp_path / "a.csv", tmp_path / "a.html"
    assert slosim(*command, "--csv", table, "--html", page, "-q", cwd=tmp_path).returncode == 0
    assert slosim(*command, "--csv", "-", cwd=tmp_path).stdout == table.read_text(encoding="utf-8")
    html = page.read_text(encoding="utf-8")
    assert slosim(*command, "--html", "-", cwd=tmp_path).stdout == f"{html}\n"
    assert slosim("report", "scenario.sweep.json", "--html", "-", cwd=tmp_path).stdout == f"{html}\n"
    assert not (tmp_path / "-").exists()


def test_the_command_of_a_result_makes_it_again(tmp_path: Path):
    scenario = written(tmp_path, SHOP)
    first = tmp_path / "first.json"
    sets = ["--set", "services.packer.retry.maximum_attempts=2"]
    slosim(
        "size", scenario, *COMMANDS["size"], *sets, "--survive", "1", "--peak", "1.2", "--json", first, "-q"
    )
    data = json.loads(first.read_text(encoding="utf-8"))
    _, *words = shlex.split(data["command"])
    words[words.index("scenario.yaml")] = str(scenario)
    ran = slosim(*words, "--json", "-")
    assert json.loads(ran.stdout) == {key: value for key, value in data.items() if key != "runs"}


def test_a_saved_result_is_json_again_without_its_runs(tmp_path: Path, results: Results):
    (tmp_path / "a.json").write_text(results["compare"].to_json(), encoding="utf-8")
    ran = slosim("report", tmp_path / "a.json", "--json", "-")
    assert ran.stdout.strip() == results["compare"].to_json().strip()
    ran = slosim("report", tmp_path / "a.json", "--json", tmp_path / "b.json", "-q")
    assert (tmp_path / "b.json").read_text(encoding="utf-8") == results["compare"].to_json()


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_is_needed_and_named(tmp_path: Path, results: Results, kind: str):
    """The table of kinds lists just what results hold."""
    data = next(result.data for result in results.values() if FORMATS[result.data["format"]] == kind)
    assert set(data) - {"format", "version", "stopped"} == set(KINDS[kind].parts)
    part = KINDS[kind].parts[-1]
    file = tmp_path / "a.json"
    file.write_text(json.dumps({key: value for key, value in data.items() if key != part}), encoding="utf-8")
    ran = slosim("report", file, "--html", tmp_path / "a.html")
    assert ran.returncode == 2
    assert f"a.json: not a whole result of slosim {kind}, '{part}' is missing" in ran.stderr
    assert not (tmp_path / "a.html").exists()


def cut(text: str) -> str:
    return text[: len(text) // 2]


def older(text: str) -> str:
    return text.replace("slosim-sweep/1", "slosim-sweep/0")


def foreign(text: str) -> str:
    return text.replace("slosim-sweep/1", "slosim-guess/1")


@pytest.mark.parametrize(
    ("damaged", "complaint"),
    [
        (cut, "a.json: not JSON ("),
        (older, "of format slosim-sweep/0, and this slosim reads slosim-sweep/1. Run"),
        (foreign, "a slosim-guess/1: expected a report"),
    ],
)
def test_files_of_something_else_are_refused(
    tmp_path: Path, results: Results, damaged: Callable[[str], str], complaint: str
):
    (tmp_path / "a.json").write_text(damaged(results["sweep1"].to_json()), encoding="utf-8")
    ran = slosim("report", tmp_path / "a.json", "--html", tmp_path / "a.html")
    assert ran.returncode == 2
    assert complaint in ran.stderr
    assert not (tmp_path / "a.html").exists()


def test_an_experiment_that_has_only_runs_so_far_is_named(tmp_path: Path):
    (tmp_path / ".a.json.runs").write_text("[]\n", encoding="utf-8")
    ran = slosim("report", tmp_path / "a.json")
    assert ran.returncode == 2
    assert "an experiment was stopped before it had a result; the command that began it goes on" in ran.stderr


def test_what_only_reports_have_is_refused(tmp_path: Path, results: Results):
    (tmp_path / "a.json").write_text(results["sweep1"].to_json(), encoding="utf-8")
    ran = slosim("report", tmp_path / "a.json", "--out", tmp_path / "out")
    assert ran.returncode == 2
    assert "--out: " in ran.stderr
    assert "is an experiment, of which there are --json and --html" in ran.stderr


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("no/a.html", "there is no folder"),
        ("scenario.yaml", "it is the scenario itself"),
        ("kept.json", "it is the file of --json"),
    ],
)
def test_a_page_needs_a_place_of_its_own(tmp_path: Path, place: str, complaint: str):
    scenario = written(tmp_path, SHOP)
    options = ["--vary", INSTANCES, "--json", tmp_path / "kept.json"]
    for option in ("--html", "--csv"):
        ran = slosim("sweep", scenario, *options, option, tmp_path / place)
        assert ran.returncode == 2
        assert complaint in ran.stderr
        assert not (tmp_path / "kept.json").exists()
        assert scenario.read_text(encoding="utf-8") == SHOP


def test_a_table_and_a_page_are_two_files(tmp_path: Path):
    options = ["--vary", INSTANCES, "--csv", tmp_path / "a", "--html", tmp_path / "a"]
    ran = slosim("sweep", written(tmp_path, SHOP), *options)
    assert ran.returncode == 2
    assert "it is the file of --html" in ran.stderr


@pytest.fixture(scope="module")
def interrupted() -> Result:
    """A sweep that was stopped after the scenario itself and at least one variant."""
    base = library.loads(SHOP)
    axes = parse_axes([INSTANCES, ARRIVALS], base)

    def stop_at_half(progress: Progress) -> None:
        if progress.replication >= progress.replications / 2:
            raise KeyboardInterrupt

    with open_workers("threads", 1) as pool:
        return sweep(base, axes, Study(pool, Store(None, "sweep"), stop_at_half), 2)


def test_an_interrupted_result_has_a_page_that_says_so(interrupted: Result):
    assert interrupted.stopped == "interrupted"
    missing = sum(not row["finished"] for row in interrupted.data["rows"])
    assert 0 < missing < len(interrupted.data["rows"])
    page = Page(html_of(interrupted.data))
    assert f"Stopped early: interrupted. {missing} variants missing." in page.text
    assert "stopped early" in page.text
    kinds = page.charts["verdicts-0"]["rows"]["rows"]["kind"]
    assert kinds.count("missing") == missing


def test_formats_are_those_of_the_results(results: Results):
    assert {result.data["format"] for result in results.values()} == {format_of(kind) for kind in KINDS}


# ---- in a browser ------------------------------------------------------------------------------------------


@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_everything_draws_without_a_complaint_or_a_request(
    browser: Browser, files: Files, pages: Pages, name: str
):
    browser.look()
    browser.open(files[name])
    for key in Page(pages[name]).charts:
        x, _, width, height = browser.canvas(key)
        assert (x >= 0, width > 300, height > 60) == (True, True, True), key
        assert browser.colours(key) > 10, f"{key} is blank"
    assert browser.complaints() == []
    assert set(browser.requests()) == {files[name].as_uri()}


@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_a_phone_needs_no_scrolling_to_the_side(browser: Browser, files: Files, pages: Pages, name: str):
    browser.look(width=360, height=740, mobile=True)
    browser.open(files[name])
    assert browser.run("return document.documentElement.scrollWidth") == 360
    for key in Page(pages[name]).charts:
        x, _, width, _ = browser.canvas(key)
        assert (x >= 0, x + width <= 360) == (True, True), key
    assert browser.complaints() == []


@needs_browser
@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("name", ["compare", "sweep2", "size", "break"])
def test_text_stands_out_from_what_is_behind_it(browser: Browser, files: Files, name: str, scheme: str):
    """WCAG AA: a contrast of 4.5, of 3 for large text."""
    browser.look(scheme=scheme)
    browser.open(files[name])
    found = browser.run(CONTRAST)
    assert found["seen"] > 50
    assert found["poor"] == []
    assert browser.barriers() == []


def tip(browser: Browser, chart: str, at_x: float, at_y: float) -> dict[str, str]:
    """What the pointer is told at a place of a chart, in shares of its size."""
    x, y, width, height = browser.canvas(chart)
    browser.mouse("mouseMoved", 1, 1)
    browser.mouse("mouseMoved", x + at_x * width + 3, y + at_y * height)
    browser.mouse("mouseMoved", x + at_x * width, y + at_y * height)
    told = browser.wait(
        "const tip = document.querySelector('#vg-tooltip-element.visible'); return tip && tip.innerText"
    )
    return dict(line.split("\t", 1) for line in told.splitlines() if "\t" in line)


@needs_browser
def test_a_cell_tells_its_numbers(browser: Browser, files: Files, pages: Pages):
    browser.look()
    browser.open(files["sweep2"])
    told = tip(browser, "map-0", 0.6, 0.3)
    rows = Page(pages["sweep2"]).charts["map-0"]["rows"]["rows"]
    place = rows["variant"].index(told["variant"])
    assert told["soon"] == rows["told"][place]
    assert told["verdict"] == rows["verdict"][place]
    assert re.fullmatch(r"[\d.>%]+ \[.*\]", told["soon"])


@needs_browser
def test_another_number_is_chosen_from_the_list(browser: Browser, files: Files, pages: Pages):
    browser.look()
    browser.open(files["sweep3"])
    before = browser.picture("any")
    browser.run(
        "const list = document.querySelector('#any select'); list.value = 'delivery p99';"
        "list.dispatchEvent(new Event('input')); list.dispatchEvent(new Event('change'))"
    )
    browser.wait("return document.querySelector('#any canvas').toDataURL() !== arguments[0]", before)
    told = tip(browser, "any", 0.6, 0.3)
    rows = Page(pages["sweep3"]).charts["any"]["rows"]["rows"]
    known = zip(rows["number"], rows["variant"], rows["told"], strict=True)
    assert ("delivery p99", told["variant"], told["value"]) in known
    assert browser.run("return document.querySelectorAll('#any select').length") == 2  # and the slice
    assert browser.complaints() == []


@needs_browser
def test_a_row_tells_where_it_breaks(browser: Browser, files: Files, pages: Pages):
    browser.look()
    browser.open(files["break"])
    told = tip(browser, "how-near", 0.7, 0.2)
    rows = Page(pages["break"]).charts["how-near"]["rows"]["rows"]
    known = zip(rows["holds text"], rows["breaks text"], rows["objective"], strict=True)
    assert (told["holds at"], told["breaks at"], told["misses first"]) in known


@needs_browser
def test_a_trial_tells_what_it_costs(browser: Browser, files: Files, pages: Pages):
    browser.look()
    browser.open(files["size"])
    place = browser.run(
        "document.querySelector('#front canvas').scrollIntoView({block: 'center', behavior: 'instant'});"
        "const canvas = document.querySelector('#front canvas'), box = canvas.getBoundingClientRect();"
        "for (let y = 2; y < box.height - 45; y += 2) for (let x = 60; x < box.width; x += 2) {"
        "  canvas.dispatchEvent(new PointerEvent('pointermove',"
        "    {clientX: box.x + x, clientY: box.y + y, bubbles: true}));"
        "  if (document.querySelector('#vg-tooltip-element.visible')) return [x, y]; } return null"
    )
    assert place is not None
    told = browser.run("return document.querySelector('#vg-tooltip-element').innerText")
    cells = dict(line.split("\t", 1) for line in told.splitlines() if "\t" in line)
    rows = Page(pages["size"]).charts["front"]["rows"]["rows"]
    known = zip(rows["cost text"], rows["left text"], rows["measured"], strict=True)
    assert (cells["cost"], cells["left"], cells["measured"]) in known


@needs_browser
def test_dark_comes_while_the_page_is_open_and_it_prints(browser: Browser, files: Files):
    browser.look()
    browser.open(files["sweep2"])
    before = browser.picture("map-0")
    browser.look(scheme=DARK)
    browser.wait("return document.querySelector('#map-0 canvas').toDataURL() !== arguments[0]", before)
    assert browser.pdf().startswith(b"%PDF")
    assert browser.complaints() == []


@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_hostile_names_do_nothing_in_the_browser_either(
    browser: Browser, hostile: Pages, tmp_path: Path, name: str
):
    (tmp_path / "a.html").write_text(hostile[name], encoding="utf-8")
    browser.look()
    browser.open(tmp_path / "a.html")
    charts = Page(hostile[name]).charts
    for key in list(charts)[:4]:
        x, y, width, height = browser.canvas(key)
        for at in (0.5, 0.6):
            browser.mouse("mouseMoved", x + at * width, y + 0.3 * height)
    assert browser.run("return window.pwned === undefined && document.querySelectorAll('img').length === 0")
    assert browser.complaints() == []


@needs_browser
def test_an_interrupted_result_draws(browser: Browser, interrupted: Result, tmp_path: Path):
    (tmp_path / "a.html").write_text(html_of(interrupted.data), encoding="utf-8")
    browser.look()
    browser.open(tmp_path / "a.html")
    assert browser.complaints() == []


@needs_browser
def test_results_without_objectives_have_pages_that_draw(browser: Browser, tmp_path: Path):
    base = library.loads(SHOP[: SHOP.index("objectives:")]).replace({"run.replications": 2})
    few = {
        "compare": library.compare(base, base.replace({"services.packer.failures": "2%"})),
        "sweep": library.sweep(base, ["services.packer.instances=2"]),
        "one row": library.sweep(base, ["services.packer.instances=2", ARRIVALS]),
        "sensitivity": library.sensitivity(base),
        "break": library.find_breaks(base, ["crash"]),
    }
    for name, result in few.items():
        (tmp_path / f"{name}.html").write_text(html_of(result.data), encoding="utf-8")
        browser.look()
        browser.open(tmp_path / f"{name}.html")
        assert browser.complaints() == [], name
