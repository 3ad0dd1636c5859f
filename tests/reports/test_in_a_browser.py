"""The report in Chromium: nothing fails, nothing is asked of a server, everybody can read it."""

from __future__ import annotations

import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

WHERE = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(WHERE is None, reason="no browser: there is no chromium on the path"),
]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=WHERE, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=["page", "map_page"])
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("browser") / "report.html"
    path.write_text(request.getfixturevalue(request.param), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_it_opens_without_an_error_or_a_request_and_everybody_can_read_it(browser, file, scheme, width):
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    tab = context.new_page()
    said, asked = [], []
    tab.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url[:60]))
    tab.goto(file.as_uri(), wait_until="load")

    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()[:60]]
    shown = tab.evaluate("Array.from(document.images, one => [one.complete, one.naturalWidth, one.alt])")
    assert shown
    assert all(complete and pixels > 0 and alt for complete, pixels, alt in shown)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width

    found = axe.Axe().run(tab).response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []
    context.close()


def test_it_prints(browser, file):
    tab = browser.new_page()
    tab.goto(file.as_uri())
    assert tab.pdf(format="A4").startswith(b"%PDF")
    tab.close()
