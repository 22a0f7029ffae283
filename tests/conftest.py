"""Options shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser import Browser


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="rewrite golden files with what is found now; read the diff",
    )


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are rewritten instead of compared."""
    return request.config.getoption("--update-goldens")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests: starting it takes longer than most of them."""
    browser = Browser()
    yield browser
    browser.close()
