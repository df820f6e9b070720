"""The pages in a browser: interaction, and equality of the numbers with those of the records."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.report import numbers
from harness.report.site import Site
from harness.report.sizes import Size
from harness.report.standings import Standing
from report.conftest import LONG

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.usefixtures("browser")  # without a browser, tests are skipped before their pages are written
WIDTHS = (360, 768, 1280)


@pytest.fixture
def open_page(browser: "Browser") -> Iterator[Callable[..., "Page"]]:
    """Return a function that opens a file; at the end there must be no log message and no external request."""
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
    """Return a column of the visible lines, in their order."""
    found: list[str] = page.eval_on_selector_all(
        f'#rows tbody tr:not([hidden]) [data-of="{column}"]',
        "cells => cells.map(cell => cell.dataset.sort ?? cell.innerText.split('\\n')[0])",
    )
    return found


def some_pages(site: Site) -> list[Path]:
    """Return a suite with a choice of metrics, rows of several kinds, the first page, and the largest suite."""
    root = site.path.parent
    by_verdict = {standing.verdict: standing for standing in site.standings}
    rows = [by_verdict["differs"], by_verdict["failed"], *rows_of(site, "jhmdb")[:1]]
    return [
        root / "demo" / "index.html",
        *(root / standing.suite.name / standing.row.id / "index.html" for standing in rows),
        site.path,
        root / "coco" / "index.html",
    ]


def texts(page: "Page") -> dict[str, dict[str, str]]:
    """Return the texts of the table's cells, by the row's id and the column."""
    found: dict[str, dict[str, str]] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#rows tbody tr")].map((line) =>
            [line.id, Object.fromEntries([...line.cells].map((cell) => [cell.dataset.of, cell.innerText]))]))"""
    )
    return found


def test_numbers_are_those_of_the_records(site: Site, sizes: dict[str, Size], open_page: Callable[..., "Page"]) -> None:
    page = open_page(site.path)
    for suite in ("coco", "jhmdb", "posetrack18"):
        page.goto((site.path.parent / suite / "index.html").as_uri())
        lines = texts(page)
        drawn = page.locator(".bars").first.locator("tbody tr").all_inner_texts()
        bars = {name: value.lstrip("→← ") for name, _, value in (bar.split("\t") for bar in drawn)}
        for standing in rows_of(site, suite):
            line = lines[standing.row.id]
            records = [result.record for result in standing.results.values()]
            assert line["verdict"].startswith(standing.verdict)
            for cell in standing.cells:
                digits = cell.metric.decimals + 1
                scale = 100 if cell.metric.unit == "percent" else 1
                values = [record.metrics.get(cell.name) for record in records]
                if not all(record.whole for record in records) or None in values:
                    assert line[f"{cell.name} measured"] == numbers.NONE
                    continue
                mean = scale * sum(value for value in values if value is not None) / len(values)
                assert line[f"{cell.name} measured"] == f"{mean:.{digits}f}"
                (printed,) = [c for c in standing.row.claims if c.metric == cell.name and c.source == "table"]
                assert line[f"{cell.name} published"].split()[0] == f"{printed.value:.{cell.metric.decimals}f}"
                if not printed.refuted:
                    assert line[f"{cell.name} difference"] == numbers.signed(mean - printed.value, digits)
                low, high = (
                    scale * sum(record.intervals[cell.name][end] for record in records) / len(records) for end in (0, 1)
                )
                assert line[f"{cell.name} interval"] == numbers.interval((low, high), cell.metric)
            if suite == "coco" and line["AP difference"] != numbers.NONE:
                assert bars[standing.row.id] == line["AP difference"]
            network = records[0].network or sizes[f"{records[0].suite}/{records[0].row}/{records[0].run}"]
            for own, text in (
                ("parameters", numbers.size(network.parameters)),
                ("checkpoint", " ".join(standing.checkpoints)),
            ):
                assert line[own].strip() == text


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
    pictures = page.locator("figure img")
    assert pictures.count() >= 1
    history = page.get_by_role("region", name="History").locator("tbody tr")
    assert history.count() == len(standing.history)
    assert "2026-03-01" in history.last.inner_text()
    pictures.first.scroll_into_view_if_needed()  # a picture loads when it comes into view
    expect(pictures.first).to_have_js_property("complete", True)
    assert pictures.first.evaluate("image => image.naturalWidth") > 0


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
    assert not page.locator("#controls").is_visible()
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
    # The last line comes into view; the browser decides when.
    expect(page.locator("#rows tbody tr").last).to_be_in_viewport()


def test_every_width(site: Site, evil_site: Site, open_page: Callable[..., "Page"]) -> None:
    page = open_page(site.path)
    for path in [*some_pages(site), *sorted(evil_site.path.parent.rglob("*.html"))]:
        page.goto(path.as_uri())
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (path, width)
            smallest = page.evaluate(
                """Math.min(...[...document.querySelectorAll(".canvas svg text")].map((text) =>
                    parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().a))"""
            )
            assert smallest is None or smallest >= 9, (path, width)


def test_print(site: Site, open_page: Callable[..., "Page"]) -> None:
    page = open_page(site.path, viewport={"width": 1032, "height": 700}, color_scheme="dark")  # A4 without its margins
    page.emulate_media(media="print")
    for path in some_pages(site):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        # Elements do not scroll on paper.
        assert page.evaluate(
            "[...document.querySelectorAll('.scroll')].every(e => e.scrollHeight <= e.clientHeight + 1)"
        ), path
        assert page.locator("select:visible, input:visible, #theme:visible").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(site: Site, evil_site: Site, open_page: Callable[..., "Page"], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    evil = evil_site.path.parent / "evil" / "differs" / "index.html"
    page = open_page(site.path, color_scheme=scheme)
    # The largest page has the same structure as smaller ones of its kind. The dark theme changes only colours, of
    # which two pages contain all.
    paths = [*some_pages(site)[:-1], evil] if scheme == "light" else some_pages(site)[:2]
    for path in paths:
        page.goto(path.as_uri())
        # Preloading would request the style sheet again.
        options: dict[str, Any] = {"preload": False, "resultTypes": ["violations"]}
        if scheme == "dark":
            options["runOnly"] = ["color-contrast"]
        results = axe.run(page, options=options)
        assert results.violations_count == 0, f"{path}\n{results.generate_report()}"


def test_a_row_is_found_on_a_phone(site: Site, open_page: Callable[..., "Page"]) -> None:
    page = open_page(site.path, viewport={"width": 360, "height": 640})
    search = page.get_by_role("searchbox", name="Find a row")
    expect(search).to_be_in_viewport()
    search.fill("jhmdb cpm")
    found = page.locator("#found a")
    assert [link.inner_text() for link in found.all()] == ["CPM"]
    expect(found.first).to_be_in_viewport()
    assert shown(page) == ["CPM"]  # also in the table below
    search.fill("mpii")
    assert found.first.inner_text() == "mpii 18 rows"
    page.get_by_role("button", name="All 19 rows in the table").click()  # including one of the demo
    expect(page.locator("#status")).to_be_in_viewport()
    search.fill("jhmdb cpm")
    found.first.click()
    page.wait_for_selector("#claims")
    page.go_back()
    expect(search).to_have_value("jhmdb cpm")
    search.fill("nothing has this")
    assert found.count() == 0
    assert page.locator("#find-status").text_content() == "0 of 80 rows"


def test_lower_is_better_sorts_from_the_lowest(many_site: Site, open_page: Callable[..., "Page"]) -> None:
    page = open_page(many_site.path.parent / "onehand10k" / "index.html")
    for metric, best in (("EPE", min), ("PCK@0.2", max)):
        page.locator(f'th[data-key="{metric} published"] button').click()
        values = [float(value) for value in shown(page, f"{metric} published")]
        assert values[0] == best(values) != values[-1]


def test_without_javascript(site: Site, coco: Path, open_page: Callable[..., "Page"]) -> None:
    page = open_page(coco, java_script_enabled=False)
    table = page.locator("#rows")
    assert table.locator("tbody tr").count() == 41
    assert table.locator("tbody tr").first.inner_text().startswith("detector")
    assert not page.locator("#controls").is_visible()
    assert not page.locator("#theme").is_visible()
    page.goto(site.path.as_uri())
    assert not page.locator("#find").is_visible()
    page.get_by_role("link", name="All rows").click()
    page.locator("#rows").get_by_role("link", name="CPM").last.click()
    assert page.locator("h1").inner_text() == "CPM"


def test_downloads(coco: Path, open_page: Callable[..., "Page"]) -> None:
    page = open_page(coco)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    assert Path(download.value.path()).read_bytes() == (coco.parent / "coco.csv").read_bytes()
    for name in ("JSON", "Markdown", "LaTeX"):  # formats that the browser displays
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator("body")).to_contain_text("shufflenet-v1" if name == "JSON" else "ShuffleNet-v1")
        page.go_back()


def test_hostile_text_does_nothing(evil_site: Site, open_page: Callable[..., "Page"]) -> None:
    page = open_page(evil_site.path)
    for path in sorted(evil_site.path.parent.rglob("*.html")):
        page.goto(path.as_uri())
        page.evaluate("for (const button of document.querySelectorAll('#rows thead button')) button.click()")
        assert page.evaluate("window.evil") is None
    page.goto((evil_site.path.parent / "evil" / "index.html").as_uri())
    assert len(shown(page)) == 6
    page.get_by_role("searchbox").fill("<script>window")
    assert len(shown(page)) == 6
    title = page.locator("h1").text_content()
    assert title == LONG
