"""The two pictures of the HTML report in docs. Needs Chromium and its driver."""

import base64
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import slosim  # noqa: E402
from browser import DARK, LIGHT, Browser  # noqa: E402  (after the path)
from slosim.html.report import html_of  # noqa: E402


def main() -> None:
    report = slosim.run(slosim.load(ROOT / "examples" / "orders.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "orders.html"
        page.write_text(html_of(json.loads(report.to_json()), "orders.yaml"), encoding="utf-8")
        browser = Browser()
        try:
            browser.command("Emulation.setScrollbarsHidden", hidden=True)
            show_verdict(browser, page)
            show_backlog(browser, page)
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


def save(browser: Browser, name: str) -> None:
    picture = browser.command("Page.captureScreenshot", format="png")["data"]
    (ROOT / "docs" / name).write_bytes(base64.b64decode(picture))


if __name__ == "__main__":
    main()
