"""How reports and results show themselves in notebooks."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser

import pytest

import slosim as library
from slosim.report.units import share
from test_cli import BROKEN, EXAMPLES, SMALL

TABLE = ("table", "thead", "tbody", "tr", "th", "td")
HOSTILE = "</bdi><script>window.pwned = 1</script><img src=x onerror='x'>\"q' & אבג"


class Markup(HTMLParser):
    """Elements with their attributes, and the text; every element that is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def orders() -> library.Report:
    return library.run(library.load(EXAMPLES / "orders.yaml"))


def test_a_report_in_short_has_the_numbers_of_the_report(orders: library.Report):
    its = Markup(orders._repr_html_())
    text = " ".join(its.words)
    assert its.words[:2] == ["missed", " "]
    assert "1 of 4 objectives missed: no order is lost reaches 98.216% of 99.9%." in text
    for one in orders.data["objectives"]:
        assert {one["name"], one["verdict"]} <= set(its.words)
        assert share(one["error_budget"]["remaining_in_run_ratio"]["value"]) in its.words
    latency = orders.data["flows"]["fulfilment"]["latency_s"]
    assert f"{latency['p99']['value']:.1f} s" in its.words
    severe = [one["text"] for one in orders.data["findings"] if one["rule"] == "impatient_retries"]
    assert len(severe) == 1
    assert severe[0] in its.words


def test_it_is_static_and_shows_on_light_and_dark(orders: library.Report):
    its = Markup(orders._repr_html_())
    tags = {tag for tag, _ in its.tags}
    assert tags <= {*TABLE, "div", "p", "strong", "bdi", "small", "ul", "li"}
    assert {key for _, attributes in its.tags for key in attributes} <= {"style", "class"}
    assert "color: inherit" in next(
        attributes["style"] or "" for tag, attributes in its.tags if tag == "table"
    )


def test_it_is_small_and_quick(orders: library.Report):
    """No charts and no templates: less than 50 ms, the best of five because the machine may be busy."""
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        html = orders._repr_html_()
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.05
    assert len(html) < 20_000


def test_text_of_the_scenario_stays_text():
    scenario = BROKEN.replace("name: small", f"name: {json.dumps(HOSTILE, ensure_ascii=False)}")
    scenario = scenario.replace("name: at once", f"name: {json.dumps(HOSTILE, ensure_ascii=False)}")
    its = Markup(library.run(library.loads(scenario))._repr_html_())
    assert its.words.count(HOSTILE) == 2
    assert not {"script", "img"} & {tag for tag, _ in its.tags}


def test_a_report_without_objectives_and_one_that_was_stopped():
    report = library.run(library.loads(SMALL))
    words = Markup(report._repr_html_()).words
    assert words[0] == "no objectives"
    assert "Nothing is promised, so nothing is judged." in words
    data = json.loads(report.to_json())
    data["run"] |= {"stopped": "interrupted <b>", "ended_s": 90.0}
    assert "interrupted <b>" in Markup(library.Report(data)._repr_html_()).words


def test_a_result_shows_its_text():
    before = library.loads(BROKEN)
    result = library.compare(before, before.replace({"services.s.instances": 2}))
    its = Markup(result._repr_html_())
    assert [tag for tag, _ in its.tags] == ["pre"]
    assert "".join(its.words).strip() == result.to_text().strip()


def test_a_report_makes_its_page(orders: library.Report):
    html = orders.to_html("orders.yaml")
    assert html.startswith("<!doctype html>")
    assert "slosim run orders.yaml --seed 1337" in html
