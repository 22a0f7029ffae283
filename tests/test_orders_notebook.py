"""The notebook is what its cells show: run in a real kernel, it shows what is saved in it."""

from __future__ import annotations

import base64
import json
import re
import resource
import sys
from pathlib import Path

import pytest

from test_pictures import pixels_of

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "orders.ipynb"
MOST_BYTES = 1_500_000
MOST_PROCESSOR_S = 60.0
"""Of the kernel, where the engine is compiled; a clock would measure what else the machine does."""
PNG = "image/png"


@pytest.fixture(scope="module")
def saved() -> dict:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def shown() -> dict:
    """The notebook as it comes out of a kernel now; any error in a cell is raised."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from notebook import executed
    finally:
        sys.path.remove(str(ROOT / "tools"))
    began_s = processor_s()
    text = executed(NOTEBOOK)
    assert processor_s() - began_s < MOST_PROCESSOR_S
    return json.loads(text)


def processor_s() -> float:
    """What all child processes that have ended took, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def outputs_of(notebook: dict) -> list[dict]:
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


def images_of(notebook: dict) -> list[bytes]:
    return [base64.b64decode(one["data"][PNG]) for one in outputs_of(notebook) if PNG in one.get("data", {})]


def test_run_again_it_shows_what_is_saved(saved: dict, shown: dict):
    """Every byte but those of pictures, whose letters depend on the machine's fonts; these are as large."""
    assert [pixels_of(png)[:2] for png in images_of(shown)] == [
        pixels_of(png)[:2] for png in images_of(saved)
    ]
    assert all(pixels_of(png)[2] > 100 for png in images_of(shown))
    assert without_images(shown) == without_images(saved)


def without_images(notebook: dict) -> dict:
    copy = json.loads(json.dumps(notebook))
    for output in outputs_of(copy):
        output.get("data", {}).pop(PNG, None)
    return copy


def test_it_was_run_from_top_to_bottom_without_an_error(saved: dict):
    code = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert {one["output_type"] for one in outputs_of(saved)} == {"stream", "execute_result"}
    assert {one["name"] for one in outputs_of(saved) if "name" in one} == {"stdout"}


def test_it_tells_the_story_of_the_first_notebook_and_goes_on(saved: dict):
    text = "".join(
        "".join(cell["source"]) + "\n" for cell in saved["cells"] if cell["cell_type"] == "markdown"
    )
    assert text.startswith("# Event-Driven Microservices — Simulation + SLO Report\n")
    assert re.findall(r"^##+ (.*)$", text, re.MULTILINE) == [
        "1) The system",
        "2) Event lag distribution",
        "3) Consumer backlog over time",
        "4) Failure injection + retries",
        "5) End-to-end latency",
        "6) SLO report",
        "7) What one run cannot say",
        "An outage",
        "How many instances",
        "What breaks it first",
        "8) Reproducible, outputs saved",
    ]
    assert len(images_of(saved)) >= 6


def test_what_its_words_say_is_what_its_numbers_say(saved: dict):
    printed = "".join("".join(one["text"]) for one in outputs_of(saved) if one["output_type"] == "stream")
    numbers = dict(re.findall(r"^(\w+) +([\d.]+) +[\d.]+ to +[\d.]+$", printed, re.MULTILINE))
    assert float(numbers["e2e_latency_mean"]) == pytest.approx(25.06, abs=0.1)  # docs/notebook.md
    assert float(numbers["payment_failures"]) / float(numbers["orders_generated"]) == pytest.approx(
        0.02 / 0.98, rel=0.1
    )
    retry, whole = map(float, re.findall(r"^slowest 1% retry ([\d.]+) s of ([\d.]+) s$", printed, re.M)[0])
    assert retry / whole == pytest.approx(0.5, abs=0.05)  # "half of the latency of the slowest 1%"


def test_it_is_small_and_names_no_machine_and_no_time(saved: dict):
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert set(saved["metadata"]) == {"kernelspec", "language_info"}
    assert saved["metadata"]["language_info"] == {"name": "python"}
    assert all(cell["metadata"] == {} for cell in saved["cells"])
    words = json.dumps(without_images(saved), ensure_ascii=False)
    assert not re.search(r"/(?:home|root|tmp|usr|work|Users)/|\d{4}-\d\d-\d\d|ipykernel|site-packages", words)
