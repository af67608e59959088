"""A real Chromium: Debian's, driven by playwright, which downloads no browser of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.packages import find_program, require_programs


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a file."""
    require_programs(["chromium"], ["chromium"])
    program = find_program("chromium")
    with sync_playwright() as playwright:
        # Root has no sandbox of Chromium's.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new tab, of which no script may fail, no dialog open and no rule of the page's policy be broken."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = context.new_page()
    found.set_default_timeout(15_000)
    problems: list[str] = []

    def noted(message: Any) -> None:
        # The browser itself tells the console of a server that is gone or refuses.
        if message.type == "error" and "Failed to load resource" not in message.text:
            problems.append(message.text)

    found.on("pageerror", lambda error: problems.append(str(error)))
    found.on("console", noted)
    found.on("dialog", lambda dialog: (problems.append("a dialog"), dialog.dismiss()))
    yield found
    context.close()
    assert problems == []
