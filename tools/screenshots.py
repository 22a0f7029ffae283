"""The pictures of pages in docs: of a report, a sweep and a break. Needs Chromium and its driver."""

import base64
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import slosim  # noqa: E402
from browser import DARK, LIGHT, Browser  # noqa: E402  (after the path)

EXAMPLE = ROOT / "examples" / "orders.yaml"


def main() -> None:
    report = slosim.run(slosim.load(EXAMPLE))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "orders.html"
        page.write_text(report.to_html("orders.yaml"), encoding="utf-8")
        browser = Browser()
        try:
            browser.command("Emulation.setScrollbarsHidden", hidden=True)
            show_verdict(browser, page)
            show_backlog(browser, page)
            show_sweep(browser, page)
            show_break(browser, page)
        finally:
            browser.close()


def show_verdict(browser: Browser, page: Path) -> None:
    """The top of the page, in light colours."""
    browser.look(1100, 700, LIGHT)
    browser.open(page)
    save(browser, "html-verdict.png")


def show_backlog(browser: Browser, page: Path) -> None:
    """The backlog around the fault, in dark colours, zoomed and with the pointer over the peak."""
    browser.look(1100, 700, DARK)
    browser.open(page)
    x, y, width, height = browser.canvas("lag-2")
    browser.drag((x + 0.36 * width, y + height / 2), (x + 0.5 * width, y + height / 2))
    browser.wait("return document.getElementById('shown').textContent !== '0s to 2h'")
    x, y, width, height = browser.canvas("lag-2")
    for at in (0.6, 0.59):
        browser.mouse("mouseMoved", x + at * width, y + height / 2)
    browser.wait("return document.querySelector('#vg-tooltip-element.visible') !== null")
    save(browser, "html-backlog.png")


def show_sweep(browser: Browser, page: Path) -> None:
    """Where a sweep of two axes meets everything, in light colours, with the pointer over a cell."""
    healthy = slosim.load(EXAMPLE, overrides=["faults=[]"])
    load = "producers.checkout.arrivals.poisson=3/s..10/s:8"
    result = slosim.sweep(healthy, ["services.payment.instances=1..5", load])
    page.write_text(result.to_html(), encoding="utf-8")
    look_at(browser, page, LIGHT, "numbers", 330)
    hover(browser, "map-0", 0.68, 0.33)
    save(browser, "html-sweep.png")


def show_break(browser: Browser, page: Path) -> None:
    """Ladders of a break, in dark colours, with the pointer over a row."""
    result = slosim.find_breaks(slosim.load(EXAMPLE))
    page.write_text(result.to_html(), encoding="utf-8")
    look_at(browser, page, DARK, "how-near", 100)
    hover(browser, "how-near", 0.4, 0.27)
    save(browser, "html-break.png")


def look_at(browser: Browser, page: Path, scheme: str, anchor: str, above: int) -> None:
    """Open a page and scroll to an element, with so many pixels of what is above it."""
    browser.look(1100, 700, scheme)
    browser.open(page)
    browser.run("document.getElementById(arguments[0]).scrollIntoView({behavior: 'instant'})", anchor)
    browser.run("window.scrollBy(0, -arguments[0])", above)


def hover(browser: Browser, chart: str, at_x: float, at_y: float) -> None:
    """The pointer over a place of a chart that is in sight, in shares of its size."""
    x, y, width, height = browser.run(
        "const box = document.querySelector(`#${arguments[0]} canvas`).getBoundingClientRect();"
        "return [box.x, box.y, box.width, box.height]",
        chart,
    )
    for step in (3, 0):
        browser.mouse("mouseMoved", x + at_x * width + step, y + at_y * height)
    browser.wait("return document.querySelector('#vg-tooltip-element.visible') !== null")


def save(browser: Browser, name: str) -> None:
    picture = browser.command("Page.captureScreenshot", format="png")["data"]
    (ROOT / "docs" / name).write_bytes(base64.b64decode(picture))


if __name__ == "__main__":
    main()
