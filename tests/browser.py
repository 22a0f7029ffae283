"""A headless Chromium for tests, and what it saw: errors of the console, requests to anywhere."""

from __future__ import annotations

import base64
import json
import shutil
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="needs Chromium and its driver (Debian: apt-get install chromium chromium-driver)",
)
LIGHT, DARK = "light", "dark"
WAIT_S = 60


class Browser:
    def __init__(self) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for argument in (
            "--headless=new",
            "--no-sandbox",  # tests may run as root
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(DRIVER)
        self.driver = webdriver.Chrome(options=options, service=service)

    def close(self) -> None:
        self.driver.quit()

    def command(self, name: str, **parameters: Any) -> Any:
        """One of the Chrome DevTools Protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def look(self, width: int = 1100, height: int = 900, scheme: str = LIGHT, mobile: bool = False) -> None:
        """The size of the screen in CSS pixels, and its colour scheme."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        self.command(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    def open(self, page: Path) -> None:
        """Load a page from disk and wait until its charts are drawn; forgets what was logged before."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(page.as_uri())
        self.wait("return document.documentElement.dataset.drawn !== undefined")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any) -> Any:
        """Until the script returns something true."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            found = self.run(script, *arguments)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {WAIT_S} s: {script}")

    def complaints(self) -> list[str]:
        """What the console said since the page was opened, and was not said before."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened, and not told before."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [
            entry["params"]["request"]["url"]
            for entry in entries
            if entry["method"] == "Network.requestWillBeSent"
        ]

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("mouseMoved", *start)
        self.mouse("mousePressed", *start, button="left", buttons=1, clickCount=1)
        for step in range(1, 6):
            between = [a + (b - a) * step / 5 for a, b in zip(start, end, strict=True)]
            self.mouse("mouseMoved", between[0], between[1], button="left", buttons=1)
        self.mouse("mouseReleased", *end, button="left", buttons=0, clickCount=1)

    def double_click(self, x: float, y: float) -> None:
        for count in (1, 2):
            self.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=count)
            self.mouse("mouseReleased", x, y, button="left", buttons=0, clickCount=count)

    def key(self, key: str, code: int, text: str = "") -> None:
        self.command("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, text=text)
        self.command("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def canvas(self, chart: str) -> tuple[float, float, float, float]:
        """(x, y, width, height) of a chart on the screen, after scrolling to it."""
        return tuple(
            self.run(
                "const canvas = document.querySelector(`#${arguments[0]} canvas`);"
                "canvas.scrollIntoView({block: 'center', behavior: 'instant'});"
                "const box = canvas.getBoundingClientRect(); return [box.x, box.y, box.width, box.height]",
                chart,
            )
        )

    def colours(self, chart: str) -> int:
        """How many colours a chart shows; a blank one has a single one."""
        return self.run(
            "const canvas = document.querySelector(`#${arguments[0]} canvas`);"
            "const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
            "return new Set(new Uint32Array(data.buffer)).size",
            chart,
        )

    def barriers(self) -> list[str]:
        """What axe finds that keeps people from reading the page: "rule: what it is (where)"."""
        source = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        self.run(source)
        found = self.driver.execute_async_script(
            "const done = arguments[0];axe.run(document, {resultTypes: ['violations']}).then(done)"
        )
        assert len(found["passes"]) > 20, "axe has looked at nothing"
        return [
            f"{one['id']}: {one['help']} ({one['nodes'][0]['html'][:200]})" for one in found["violations"]
        ]

    def picture(self, chart: str) -> str:
        """What a chart shows, as text to compare."""
        return self.run("return document.querySelector(`#${arguments[0]} canvas`).toDataURL()", chart)

    def pdf(self) -> bytes:
        return base64.b64decode(self.command("Page.printToPDF", printBackground=False)["data"])
