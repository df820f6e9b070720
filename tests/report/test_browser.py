"""The pages in a browser: what a person does with them, and that the numbers are those of the records."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.report import numbers
from harness.report.site import Site
from harness.report.standings import Standing
from report.conftest import LONG

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (360, 768, 1280)


@pytest.fixture
def open_page(browser: "Browser") -> Iterator[Callable[..., "Page"]]:
    """Return a function that opens a file; at the end nothing may have been logged, or requested from elsewhere."""
    contexts, troubles = [], []

    def opened(path: Path, fragment: str = "", **options: Any) -> "Page":
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)

        def check(route: Any) -> None:
            if route.request.url.startswith("file:"):
                route.continue_()
            else:
                troubles.append(f"request: {route.request.url}")
                route.abort()

        context.route("**/*", check)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.goto(path.as_uri() + fragment)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def coco(site: Site) -> Path:
    return site.path.parent / "coco" / "index.html"


def rows_of(site: Site, suite: str) -> list[Standing]:
    return [standing for standing in site.standings if standing.suite.name == suite]


def shown(page: "Page", column: str = "model") -> list[str]:
    """Return a column of the lines that are shown, in their order."""
    found: list[str] = page.eval_on_selector_all(
        f'#rows tbody tr:not([hidden]) [data-of="{column}"]',
        "cells => cells.map(cell => cell.dataset.sort ?? cell.innerText.split('\\n')[0])",
    )
    return found


def some_pages(site: Site) -> list[Path]:
    """The first page, two suites, and rows of several kinds."""
    root = site.path.parent
    by_verdict = {standing.verdict: standing for standing in site.standings}
    rows = [by_verdict["differs"], by_verdict["failed"], *rows_of(site, "jhmdb")[:1]]
    return [
        root / "coco" / "index.html",
        *(root / standing.suite.name / standing.row.id / "index.html" for standing in rows),
        site.path,
        root / "demo" / "index.html",
    ]


def test_numbers_are_those_of_the_records(site: Site, open_page: Callable[..., "Page"]) -> None:
    root = site.path.parent
    for suite in ("coco", "jhmdb", "posetrack18"):
        page = open_page(root / suite / "index.html")
        for standing in rows_of(site, suite):
            line = page.locator(f'tr[id="{standing.row.id}"]')
            records = [result.record for result in standing.results.values()]
            for cell in standing.cells:
                text = line.locator(f'[data-of="{cell.name} measured"]').inner_text()
                scale = 100 if cell.metric.unit == "percent" else 1
                values = [record.metrics.get(cell.name) for record in records]
                if all(record.whole for record in records) and None not in values:
                    mean = sum(value for value in values if value is not None) / len(values)
                    assert text == f"{scale * mean:.{cell.metric.decimals + 1}f}"
                    (printed,) = [c for c in standing.row.claims if c.metric == cell.name and c.source == "table"]
                    published = line.locator(f'[data-of="{cell.name} published"]').inner_text()
                    assert published.split()[0] == f"{printed.value:.{cell.metric.decimals}f}"
                    if not printed.refuted:
                        difference = line.locator(f'[data-of="{cell.name} difference"]').inner_text()
                        expected = scale * mean - printed.value
                        assert difference == numbers.signed(expected, cell.metric.decimals + 1)
                    interval = records[0].intervals.get(cell.name) if len(records) == 1 else None
                    text = line.locator(f'[data-of="{cell.name} interval"]').inner_text()
                    assert text == numbers.interval(
                        (scale * interval[0], scale * interval[1]) if interval else None, cell.metric
                    )
                else:
                    assert text == numbers.NONE
            assert line.locator('[data-of="verdict"]').inner_text().startswith(standing.verdict)


def test_row_page_has_the_record(site: Site, open_page: Callable[..., "Page"]) -> None:
    standing = next(s for s in rows_of(site, "coco") if s.verdict == "differs" and len(s.history) > 1)
    page = open_page(site.path.parent / "coco" / standing.row.id / "index.html")
    record = standing.results["val"].record
    table = page.locator("table", has_text="Intervals: 95% by resampling 5,000 images")
    cells = [line.split("\t") for line in table.locator("tbody").inner_text().splitlines()]
    assert [cell[:2] for cell in cells] == [
        [name, f"{value:.4f}"] for name, value in record.metrics.items() if value is not None
    ]
    assert page.locator("#issue").text_content()
    assert page.locator("figure image").count() >= 1
    assert page.get_by_role("heading", name="History").count() == 1
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth)")


def test_sorting(site: Site, coco: Path, open_page: Callable[..., "Page"]) -> None:
    page = open_page(coco)
    published = shown(page)
    assert published == [standing.row.label for standing in rows_of(site, "coco")]
    head = page.locator('th[data-key="AP measured"]')
    head.get_by_role("button").click()
    values = [float(value) if value else None for value in shown(page, "AP measured")]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=True)
    assert len(known) > 20
    assert values == known + [None] * (len(values) - len(known))
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    ascending = [float(value) for value in shown(page, "AP measured") if value]
    assert ascending == sorted(known)
    assert shown(page, "AP measured")[-1] == ""
    head.get_by_role("button").click()
    assert shown(page) == published
    assert head.get_attribute("aria-sort") is None
    page.locator('th[data-key="model"] button').click()
    assert [name.lower() for name in shown(page)] != [name.lower() for name in published]
    assert shown(page)[0] == "AlexNet"


def test_filter_and_search(site: Site, coco: Path, open_page: Callable[..., "Page"]) -> None:
    page = open_page(coco)
    verdicts = [standing.verdict for standing in rows_of(site, "coco")]
    page.get_by_role("combobox", name="Verdict").select_option("differs")
    assert len(shown(page)) == verdicts.count("differs")
    assert page.locator("#status").text_content() == f"{verdicts.count('differs')} of 41 rows"
    page.get_by_role("combobox", name="Verdict").select_option("")
    page.get_by_role("searchbox").fill("HRNET dark")
    expected = [s.row.label for s in rows_of(site, "coco") if "hrnet" in s.row.id and "dark" in s.row.id]
    assert shown(page) == expected != []
    page.get_by_role("searchbox").fill("7b837afb")  # a checkpoint's file name
    assert shown(page) == ["MSPN 4-stg"]
    page.get_by_role("searchbox").fill("nothing has this")
    assert shown(page) == []
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("#status")).to_have_text("All 41 rows")


def test_deep_links(coco: Path, open_page: Callable[..., "Page"]) -> None:
    page = open_page(coco)
    page.get_by_role("searchbox").fill("hrnet & w48 #1?")
    page.get_by_role("searchbox").fill("hrnet")
    page.get_by_role("combobox", name="Input").select_option("256x192")
    page.locator('th[data-key="gflop"] button').click()
    again = open_page(coco, f"#{page.url.split('#')[1]}")
    assert shown(again) == shown(page) != []
    assert again.get_by_role("searchbox").input_value() == "hrnet"
    assert again.locator('th[data-key="gflop"]').get_attribute("aria-sort") == "descending"
    again.evaluate("location.hash = '#q=alexnet'")
    expect(again.locator("#status")).to_have_text("1 of 41 rows")
    nonsense = open_page(coco, "#sort=__proto__&verdict=%22%3E&order=up")
    assert len(shown(nonsense)) == 41


def test_metrics_can_be_chosen(site: Site, open_page: Callable[..., "Page"]) -> None:
    path = site.path.parent / "demo" / "index.html"
    page = open_page(path)
    group = page.locator('th.group[data-metric="AP(L)"]')
    assert not group.is_visible()
    page.get_by_role("checkbox", name="AP(L)").check()
    page.get_by_role("checkbox", name="AR", exact=True).uncheck()
    assert group.is_visible()
    again = open_page(path, f"#{page.url.split('#')[1]}")
    assert again.locator('th.group[data-metric="AP(L)"]').is_visible()
    assert not again.locator('th.group[data-metric="AR"]').is_visible()


def test_theme(coco: Path, open_page: Callable[..., "Page"]) -> None:
    def background(page: "Page") -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    dark = background(open_page(coco, color_scheme="dark"))
    page = open_page(coco, color_scheme="light")
    light = background(page)
    assert dark != light == "rgb(255, 255, 255)"
    button = page.get_by_role("button", name="Theme")
    button.click()
    button.click()
    assert button.text_content() == "Theme: dark"
    assert background(page) == dark
    page.reload()
    assert background(page) == dark
    page.emulate_media(media="print")
    assert background(page) == light
    page.emulate_media(media="screen")
    page.get_by_role("link", name="ViTPose-h").first.click()
    page.wait_for_selector("#claims")
    assert background(page) == dark


def test_keyboard(coco: Path, open_page: Callable[..., "Page"]) -> None:
    page = open_page(coco)

    name_of_focus = "(e => e.name || e.id || e.getAttribute('role') || e.innerText.trim())(document.activeElement)"

    def press_tab(until: str) -> list[str]:
        seen: list[str] = []
        while not seen or seen[-1] != until:
            assert len(seen) < 40, seen
            page.keyboard.press("Tab")
            seen.append(page.evaluate(name_of_focus))
        return seen

    seen = press_tab("boxes")
    assert seen[0] == "To the content"
    assert {"theme", "CSV", "q", "verdict"} <= set(seen)
    assert press_tab("region")[:2] == ["size", "Reset"]
    first = shown(page)
    assert press_tab("model") == ["boxes", "model"]
    page.keyboard.press("Enter")
    assert page.locator('th[data-key="model"]').get_attribute("aria-sort") == "ascending"
    assert shown(page) != first
    page.locator("#rows").evaluate("table => table.parentElement.focus()")
    page.keyboard.press("End")
    # The last line comes into view; how soon is the browser's.
    expect(page.locator("#rows tbody tr").last).to_be_in_viewport()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(
    site: Site, evil_site: Site, open_page: Callable[..., "Page"], width: int
) -> None:
    evil = sorted(evil_site.path.parent.rglob("*.html"))
    page = open_page(site.path, viewport={"width": width, "height": 800})
    for path in [*some_pages(site), *evil]:
        page.goto(path.as_uri())
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(site: Site, evil_site: Site, open_page: Callable[..., "Page"], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    evil = evil_site.path.parent / "evil" / "differs" / "index.html"
    page = open_page(site.path, color_scheme=scheme)
    # In the dark only the colours are others, of which two pages have all.
    paths = [*some_pages(site), evil] if scheme == "light" else some_pages(site)[:2]
    for path in paths:
        page.goto(path.as_uri())
        results = axe.run(page, options={"preload": False})  # which would request the style sheet again
        assert results.violations_count == 0, f"{path}\n{results.generate_report()}"


def test_without_javascript(site: Site, coco: Path, open_page: Callable[..., "Page"]) -> None:
    page = open_page(coco, java_script_enabled=False)
    table = page.locator("#rows")
    assert table.locator("tbody tr").count() == 41
    assert table.locator("tbody tr").first.inner_text().startswith("detector")
    assert not page.locator("#controls").is_visible()
    assert not page.locator("#theme").is_visible()


def test_downloads(coco: Path, open_page: Callable[..., "Page"]) -> None:
    page = open_page(coco)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    assert Path(download.value.path()).read_bytes() == (coco.parent / "coco.csv").read_bytes()
    for name in ("JSON", "Markdown", "LaTeX"):  # which the browser shows
        page = open_page(coco)
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator("body")).to_contain_text("shufflenet-v1" if name == "JSON" else "ShuffleNet-v1")


def test_hostile_text_does_nothing(evil_site: Site, open_page: Callable[..., "Page"]) -> None:
    for path in sorted(evil_site.path.parent.rglob("*.html")):
        page = open_page(path)
        assert page.evaluate("window.evil") is None
        for button in page.locator("#rows thead button").all():
            button.click()
        assert page.evaluate("window.evil") is None
    page = open_page(evil_site.path.parent / "evil" / "index.html")
    assert len(shown(page)) == 6
    page.get_by_role("searchbox").fill("<script>window")
    assert len(shown(page)) == 6
    title = page.locator("h1").text_content()
    assert title == LONG
