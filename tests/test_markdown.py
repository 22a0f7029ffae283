"""The report as a comment of a pull request: short, true, and names arrive as text."""

from __future__ import annotations

import copy
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

import slosim as library
from slosim.outputs.markdown import APART, ISOLATE, ISOLATED, markdown_of, markdown_of_runs, plain
from slosim.report.differences import NamedReport, differences_of
from slosim.report.layout import clean
from test_cli import BROKEN, KEPT, ROOT, slosim, written

HOSTILE = (
    "a|b `c` <script>x</script> [x](javascript:alert) @someone #12 ~~d~~ *e* _f_ $g$ &amp; \\| :tada: אבג 🦄",
    "# heading",
    "- item",
    "1. first",
    "> quoted",
    "===",
    "---",
    "``` fence",
    "https://example.org/ and www.example.org and ftp://x",
    "![picture](https://example.org/x.png)",
    "<!-- comment --> <details>",
    "line\nbreak\r\n\r\n| a | b |\n|---|---|",
    "evil\x1b[2J\u202ename",
    "me@example.org",
    "\\",
)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
ALLOWED_HTML = {"<sub>", "</sub>", "<details><summary>Services and topics</summary>", "</details>"}


def tokens_of(text: str) -> list[Token]:
    return [inner for token in MARKDOWN.parse(text) for inner in (token, *(token.children or ()))]


def cells_of(text: str) -> list[list[str]]:
    """The cells of all rows of all tables, as they are shown."""
    rows: list[list[str]] = []
    tokens = MARKDOWN.parse(text)
    for token, after in pairwise(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            rows[-1].append(shown(after))
    return rows


def shown(inline: Token) -> str:
    words = "".join(token.content for token in inline.children or () if token.type == "text")
    return words.replace(APART, "").replace(ISOLATE, "").replace(ISOLATED, "")


@pytest.fixture(scope="module")
def orders() -> dict:
    return json.loads(library.run(library.load(ROOT / "examples" / "orders.yaml")).to_json())


@pytest.fixture(scope="module")
def patient() -> dict:
    scenario = library.load(ROOT / "examples" / "orders.yaml")
    changed = scenario.replace({"services.payment.retry.maximum_attempts": 12})
    return json.loads(library.run(changed).to_json())


# ---- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["{}", "- {}", "### {}", "**x**: {}", "<sub>{}</sub>"])
def test_any_name_is_shown_as_it_is_wherever_it_stands(name: str, place: str):
    tokens = tokens_of(place.format(plain(name)))
    kinds = {token.type for token in tokens} - {"text", "inline"}

    assert "".join(shown(token) for token in tokens if token.type == "inline").removeprefix("x: ") == clean(
        name
    )
    assert kinds <= {
        *(
            "paragraph_open",
            "paragraph_close",
            "heading_open",
            "heading_close",
            "strong_open",
            "strong_close",
        ),
        *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close", "html_inline"),
        "text_special",
    }
    html = {token.content for token in tokens if token.type == "html_inline"}
    assert html <= {"<sub>", "</sub>"}


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_one_cell(name: str):
    assert cells_of(f"| {plain(name)} | 2 |\n| --- | --- |\n| {plain(name)} | 3 |") == [
        [clean(name), "2"],
        [clean(name), "3"],
    ]


def test_nobody_is_called_and_nothing_is_linked():
    written = plain("@someone #12 :tada: see https://example.org or www.example.org, me@example.org")

    assert not re.search(r"@\w|#\d|:tada|https://|www\.", written)


def test_numbers_are_not_littered_with_escapes():
    assert plain("97.45% (97.19% to 97.70%), -2.93, +1 of 2") == "97.45% (97.19% to 97.70%), -2.93, +1 of 2"


# ---- a report ----------------------------------------------------------------------------------------------


def test_the_comment_is_short_and_says_the_verdict_first(orders: dict):
    text = markdown_of(orders, "orders.yaml")
    lines = text.splitlines()

    assert lines[0] == "### ❌ orders: missed"
    assert lines[2].startswith("MISSED. 1 of 4 objectives missed: no order is lost reaches")
    assert len(lines) <= 40
    assert "slosim run orders.yaml --seed 1337 --replications 10" in lines
    assert orders["scenario"]["digest"][:12] in text
    assert {token.content.strip() for token in tokens_of(text) if "html" in token.type} <= ALLOWED_HTML


def test_tables_tell_the_objectives_and_the_stations(orders: dict):
    rows = {row[0]: row for row in cells_of(markdown_of(orders))}

    assert rows["no order is lost"][1] == "99.9%"
    assert rows["no order is lost"][2].startswith("98.216% (98.1")
    assert rows["no order is lost"][4] == "❌ missed"
    assert rows["payments are fresh"][4] == "✅ met"
    assert set(rows) >= {"orders", "payment", "inventory", "shipping", "payments.requested → payment"}
    assert len({len(row) for row in cells_of(markdown_of(orders))[1:5]}) == 1


def test_severe_findings_and_where_time_goes_are_told(orders: dict):
    words = " ".join(shown(token) for token in MARKDOWN.parse(markdown_of(orders)) if token.type == "inline")

    severe = [one["text"] for one in orders["findings"] if one["rule"] == "impatient_retries"]
    assert severe
    assert all(text in words for text in severe)
    assert re.search(
        r"fulfilment: p50 1\.58 s, p99 24\.4 s; of the mean 2\.62 s shipping\.service 34%", words
    )


def test_what_changed_is_told_objectives_that_flip_first(orders: dict, patient: dict):
    text = markdown_of(patient, "orders.yaml", NamedReport("main.json", orders))
    rows = cells_of(text)
    start = rows.index(["number", "before", "after", "change (95%)", ""])

    assert rows[start + 1][0] == "orders ship in time (97%)"
    assert rows[start + 1][4] == "🔴 worse, met → missed"
    assert rows[start + 3][4] == "🟢 better, still missed"
    assert "35 of 54 numbers change clearly" in text
    assert "27 more of 54 numbers change clearly." in text
    assert "at least 0.1% (0.5% of a percentile)" in text


def test_nothing_changed_is_said_in_a_line(orders: dict):
    text = markdown_of(orders, None, NamedReport("main.json", copy.deepcopy(orders)))

    assert text.count("Nothing changes clearly, of 54 numbers.") == 1
    assert ["number", "before", "after", "change (95%)", ""] not in cells_of(text)


def test_several_runs_are_told_against_the_first(orders: dict, patient: dict):
    text = markdown_of_runs([NamedReport("a", orders), NamedReport("b", patient), NamedReport("c", orders)])

    rows = cells_of(text)
    assert [row[0] for row in rows[:4]] == ["run", "a", "b", "c"]
    assert text.count("**From a**") == 2
    assert differences_of(orders, patient)["unpaired"] == ""


def test_a_report_of_hostile_names_has_no_markup_of_theirs(orders: dict):
    hostile = copy.deepcopy(orders)
    name = HOSTILE[0]
    hostile["scenario"]["name"] = name
    for one, declared in zip(
        hostile["objectives"], hostile["scenario"]["resolved"]["objectives"], strict=True
    ):
        one["name"] = declared["name"] = f"{one['name']} {name}"
    hostile["flows"] = {name: hostile["flows"]["fulfilment"]}
    hostile["findings"][0]["text"] = name + hostile["findings"][0]["text"]
    text = markdown_of(hostile, f"'{name}```'", NamedReport(name, hostile))
    tokens = tokens_of(text)

    assert {token.content.strip() for token in tokens if "html" in token.type} <= ALLOWED_HTML
    assert not {token.type for token in tokens} & {"link_open", "image", "code_inline", "em_open", "s_open"}
    assert sum(token.type == "fence" for token in tokens) == 1
    assert {clean(f"{one['name']}") for one in hostile["objectives"]} <= {row[0] for row in cells_of(text)}


# ---- the command -------------------------------------------------------------------------------------------


def test_run_writes_it_and_compares_with_a_baseline(tmp_path: Path):
    path = written(tmp_path, KEPT)
    assert slosim("run", path, "--json", "main.json", "-q", cwd=tmp_path).returncode == 0

    slower = slosim(
        *("run", path, "--set", "services.s.service_time.exponential=200ms", "--baseline", "main.json"),
        *("--markdown", "comment.md", "--out", "all"),
        cwd=tmp_path,
    )

    assert slower.returncode == 0, slower.stderr
    assert "CHANGES  from main.json, paired" in slower.stdout
    assert re.search(r"p mean .* worse", slower.stdout)
    comment = (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert comment == (tmp_path / "all" / "report.md").read_text(encoding="utf-8")
    assert comment.startswith("### ✅ small: met\n")
    assert "🔴 worse" in comment
    assert "CHANGES" in (tmp_path / "all" / "report.txt").read_text(encoding="utf-8")


def test_check_prints_it_and_keeps_its_exit_code(tmp_path: Path):
    done = slosim("check", written(tmp_path, BROKEN), "--markdown", "-")

    assert done.returncode == 99
    assert done.stdout.startswith("### ❌ small: missed\n")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot read"),
        ("[]", "not a report"),
        ('{"format": "slosim-report/1"}', 'not a whole report, "scenario" is a required'),
        ('{"format": "slosim-compare/1"}', "an experiment, and a report is wanted here"),
        ('{"format": "slosim-report/0"}', "this slosim reads slosim-report/1"),
    ],
)
def test_a_baseline_that_is_none_is_refused_before_time_is_spent(tmp_path: Path, content, complaint):
    if content is not None:
        (tmp_path / "main.json").write_text(content)
    done = slosim("run", written(tmp_path, KEPT), "--baseline", "main.json", cwd=tmp_path)

    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stdout == ""


def test_two_outputs_cannot_share_stdout(tmp_path: Path):
    done = slosim("run", written(tmp_path, KEPT), "--json", "-", "--markdown", "-")

    assert done.returncode == 2
    assert "only one output can go to stdout" in done.stderr
