"""Charts and the drawing of the system as SVG and PNG: whole, with their numbers, always the same."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

import slosim as library
from slosim.errors import UserError
from slosim.html.charts import Chart, Table
from slosim.outputs import pictures
from slosim.outputs.pictures import FORMATS, Picture, Pictures, pictures_of, size_of
from test_cli import BROKEN, EXAMPLES, KEPT, slosim, written

SVG = "{http://www.w3.org/2000/svg}"
SPECIAL = {
    "autoscaler-too-slow": {"instances"},
    "metastable": {"servers", "requests", "failures-site"},
    "order-saga": {"latency-settled", "event-lag"},
    "rebalance-storm": {"stopped_partitions"},
    "shared-database": {"servers", "failures-checkout"},
}
"""Examples, and charts that the orders example does not have, or not so."""


@pytest.fixture(scope="module")
def orders() -> library.Report:
    return library.run(library.load(EXAMPLES / "orders.yaml"))


def texts_of(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def pixels_of(png: bytes) -> tuple[int, int, int]:
    """(width, height, how many different bytes its rows hold): a blank picture has a handful."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return width, height, len(set(zlib.decompress(data)))


# ---- what is in them ---------------------------------------------------------------------------------------


def test_every_chart_of_the_orders_example_says_what_it_shows(orders: library.Report):
    assert list(orders.charts) == [
        "system",
        "budget-orders-ship-in-time",
        "budget-no-order-is-lost",
        "budget-payments-keep-up",
        "budget-payments-are-fresh",
        "latency-fulfilment",
        "lag-orders-placed-orders",
        "lag-payments-requested-payment",
        "lag-stock-requested-inventory",
        "lag-shipments-requested-shipping",
        "failures-payment",
        "failures-inventory",
        "age",
        "instances",
        "busy",
        "event-lag",
    ]
    for name, picture in orders.charts.items():
        found = texts_of(picture.to_svg())
        if name == "system":
            assert {"checkout", "payments.dlq", "▼ saturates first"} <= set(found)
            continue
        assert picture.title in found
        assert "orders: 10 replications of 2h, measured from 10m on, seed 1337" in found
    legend = texts_of(orders.charts["lag-payments-requested-payment"].to_svg())
    assert {"published and not settled", "of these waiting", "payment provider down"} <= set(legend)
    assert orders.charts["lag-payments-requested-payment"].title == "Backlog: payments.requested → payment"


def test_peaks_of_the_report_are_the_peaks_of_the_picture(orders: library.Report):
    """The heights of the two lines are to each other as the highest lag and the most waiting of the JSON."""
    series = orders.data["topics"]["payments.requested"]["consumers"]["payment"]["series"]
    svg = orders.charts["lag-payments-requested-payment"].to_svg()
    lines = [
        path.get("d") or ""
        for path in ElementTree.fromstring(svg).iter(f"{SVG}path")
        if path.get("stroke-width") == "1.5"
    ]
    assert len(lines) == 2
    highest = [min(float(y) for y in re.findall(r"[ML][\d.e-]+,([\d.e-]+)", line)) for line in lines]
    lag, waiting = (130 - y for y in highest)
    assert lag / waiting == pytest.approx(max(series["lag"]) / max(series["waiting"]), rel=1e-3)
    assert 130 / 2 < lag <= 130


def test_a_picture_has_its_own_colours_and_loads_nothing(orders: library.Report):
    for picture in orders.charts.values():
        svg = picture.to_svg()
        assert "var(" not in svg
        assert "theme" not in svg
        assert 'fill="#ffffff"' in svg
        assert not re.search(r"(?:href|src)=|url\((?!#)|@import|<script|<image", svg)
        assert set(re.findall(r"https?://[^\"' ]+", svg)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }


@pytest.mark.parametrize("name", ["system", "latency-fulfilment", "lag-payments-requested-payment"])
def test_a_png_is_as_large_as_it_says_and_not_blank(name: str, orders: library.Report):
    picture = orders.charts[name]
    width, height = size_of(picture.to_svg())
    for scale in (1, 2):
        *size, different = pixels_of(picture.to_png(scale))
        assert size == [scale * width, scale * height]
        assert different > 100
    assert picture._repr_png_() == (picture.to_png(), {"width": width, "height": height})


def test_pictures_are_the_same_every_time(orders: library.Report):
    again = library.Report.from_json(orders.to_json())
    for name in ("system", "busy"):
        assert again.charts[name].to_svg() == orders.charts[name].to_svg()
        assert again.charts[name].to_png() == orders.charts[name].to_png()


@pytest.mark.parametrize("name", SPECIAL)
def test_examples_have_their_special_charts(name: str):
    report = library.run(library.load(EXAMPLES / f"{name}.yaml"), replications=1)
    assert set(report.charts) >= SPECIAL[name]
    for picture in report.charts.values():
        assert len(texts_of(picture.to_svg())) > 3


def test_the_scenario_s_text_is_text_and_nothing_else():
    hostile = "\"]; </text><script>x</script> & אבג 🦄 ' \\u0022"
    scenario = {
        "name": hostile,
        "run": {"duration": "5m", "warmup": "1m", "replications": 1},
        "topics": {"jobs": {}},
        "producers": {"p": {"topic": "jobs", "arrivals": {"poisson": "2/s"}}},
        "services": {"s": {"consumes": "jobs", "service_time": {"exponential": "100ms"}}},
        "faults": [
            {"name": hostile, "at": "2m", "for": "1m", "target": "services.s", "effect": {"slowdown": "8x"}}
        ],
        "objectives": [{"name": hostile, "flow": "p", "within": "1s", "target": "99%"}],
    }
    report = library.run(library.loads(json.dumps(scenario, ensure_ascii=False)))
    for picture in report.charts.values():
        words = " ".join(texts_of(picture.to_svg()))
        assert picture.name == "system" or "<script>x</script> & אבג 🦄 ' \\u0022" in words
        assert pixels_of(picture.to_png(1))[2] > 20


@pytest.mark.parametrize("name", ["constructor", "toString", "__proto__"])
def test_names_that_objects_of_javascript_have_are_in_the_legend(
    name: str, capfd: pytest.CaptureFixture[str]
):
    report = library.run(library.loads(BROKEN.replace("{s:", f"{{{name}:")))
    words = texts_of(report.charts["busy"].to_svg())
    assert name in [text.strip("\u200b") for text in words]
    assert capfd.readouterr().err == ""


@pytest.fixture(scope="module")
def results() -> dict[str, library.Result]:
    before = library.loads(BROKEN)
    vary = ["services.s.instances=1..3", "services.s.concurrency=1,2"]
    return {
        "compare": library.compare(before, before.replace({"services.s.instances": 2})),
        "sweep": library.sweep(before, vary),
        "sensitivity": library.sensitivity(before),
        "size": library.size(library.loads(KEPT), vary),
        "break": library.find_breaks(library.loads(KEPT), only=["slow"]),
    }


@pytest.mark.parametrize("kind", ["compare", "sweep", "sensitivity", "size", "break"])
def test_results_have_the_charts_of_their_pages(kind: str, results: dict[str, library.Result]):
    result = results[kind]
    assert 'id="charts"' in result.to_html()
    assert len(result.charts) > 0
    for picture in result.charts.values():
        svg = picture.to_svg()
        found = texts_of(svg)
        assert picture.title in found
        assert any(text.endswith(f"seed {result.data['run']['seed']}") for text in found)
        assert len(found) > 3
        assert "var(" not in svg
        assert pixels_of(picture.to_png(1))[2] > 20


def test_what_a_legend_says_is_in_the_picture_of_a_result(results: dict[str, library.Result]):
    """Its scale of colours is its own: one that the marks have does not hide it."""
    charts = results["sweep"].charts
    its = next(charts[name] for name in charts if name.startswith("map-"))
    assert {"best", "worst"} <= set(texts_of(its.to_svg()))
    cells = [path for path in ElementTree.fromstring(its.to_svg()).iter(f"{SVG}path") if path.get("fill")]
    assert len({path.get("fill") for path in cells} & set(pictures.colours().values())) >= 3


# ---- names -------------------------------------------------------------------------------------------------


def chart(key: str, title: str) -> Chart:
    return Chart(key, title, {"layer": []}, {}, Table([], []))


@pytest.mark.parametrize(
    ("key", "title", "name"),
    [
        ("lag-3", "payments → payment", "lag-payments-payment"),
        ("age", "Age of the oldest message", "age"),
        ("event-lag", "Event lag", "event-lag"),
        ("budget-0", "../../etc/passwd\0", "budget-etc-passwd"),
        ("budget-0", "/", "budget"),
        ("budget-0", "a\\b:c*?", "budget-a-b-c"),
        ("budget-0", "Straße אבג", "budget-strasse-אבג"),
        ("budget-0", "x" * 500, "budget-" + "x" * 53),
    ],
)
def test_names_are_safe_for_file_systems(key: str, title: str, name: str):
    assert pictures._name_of(chart(key, title)) == name


def test_names_differ(monkeypatch: pytest.MonkeyPatch, orders: library.Report):
    every = [chart(f"lag-{number}", title) for number, title in enumerate(["a", "A", "a", "a 2"])]
    monkeypatch.setattr(pictures, "charts_of", lambda data: SimpleNamespace(every=every))
    assert list(pictures_of(orders.data)) == ["system", "lag-a", "lag-a-2", "lag-a-3", "lag-a-2-2"]


def test_an_unknown_name_is_answered_with_the_nearest(orders: library.Report):
    with pytest.raises(KeyError, match=r"no chart 'latency-fulfillment' here; .*did you mean 'latency-fulf"):
        orders.charts["latency-fulfillment"]
    assert "age" in orders.charts
    assert None not in orders.charts
    assert isinstance(orders.charts, Pictures)
    assert repr(orders.charts["age"]) == "Picture('age', 'Age of the oldest message')"


# ---- files -------------------------------------------------------------------------------------------------


def test_saved_by_the_ending_of_the_name(tmp_path: Path, orders: library.Report):
    picture: Picture = orders.charts["instances"]
    picture.save(tmp_path / "x.svg")
    picture.save(str(tmp_path / "x.PNG"))
    assert (tmp_path / "x.svg").read_text(encoding="utf-8") == picture.to_svg()
    assert (tmp_path / "x.PNG").read_bytes() == picture.to_png()
    with pytest.raises(UserError, match=r"pictures are \.svg or \.png, not '\.gif'"):
        picture.save(tmp_path / "x.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.PNG", "x.svg"]


def test_charts_of_a_run_and_of_a_saved_report(tmp_path: Path):
    file, folder, again = written(tmp_path, KEPT), tmp_path / "new" / "charts", tmp_path / "again"
    done = slosim("check", file, "--charts", folder, "--json", tmp_path / "run.json", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = ["system", "budget-done", "latency-p", "lag-jobs-s", "age", "instances", "busy", "event-lag"]
    assert {path.name for path in folder.iterdir()} == {name + end for name in names for end in FORMATS}

    assert slosim("report", tmp_path / "run.json", "--charts", again, "-q").returncode == 0
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_a_folder_that_cannot_be_is_refused_before_the_run(tmp_path: Path):
    (tmp_path / "file").write_text("")
    done = slosim("run", written(tmp_path, KEPT), "--charts", tmp_path / "file" / "x")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "cannot make the folder" in done.stderr
