"""The site of as many suites as are published: small, and each row can be found from the first page."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from harness.metrics.diagnosis.model import Diagnosis
from harness.report.index_page import PARTS, metric_index
from harness.report.site import SMALL_SITE, Site
from harness.report.standings import Standing, printed_like
from harness.suites.schema import Suite
from report import many
from report.test_site import Page


def page_of(site: Site, *folders: str) -> Path:
    return site.path.parent.joinpath(*folders, "index.html")


def text_of(path: Path) -> str:
    return " ".join(Page(path).text.split())


def standing_of(site: Site, suite: str) -> Standing:
    return next(s for s in site.standings if s.suite.name == suite and s.has_numbers)


def test_size(many_site: Site) -> None:
    assert len(many_site.standings) == sum(table.rows for table in many.TABLES) > 280
    folder = many_site.path.parent
    assert many_site.bytes == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 8_000_000
    # Pictures use the room that tables leave: at least one picture for each run with a diagnosis.
    diagnosed = sum(r.folder.diagnosis.is_file() for s in many_site.standings for r in s.results.values())
    pictures = [path.stat().st_size for path in folder.rglob("*.webp")]
    assert len(pictures) >= diagnosed > 200
    assert many_site.bytes <= SMALL_SITE
    assert page_of(many_site).stat().st_size < 300_000


def test_pages_share_what_they_can(many_site: Site) -> None:
    for path in many_site.path.parent.rglob("*.html"):
        page = Page(path)
        assert "style" not in page.tags, path
        assert None not in page.scripts, path
        assert "data:image" not in path.read_text(encoding="utf-8"), path


def test_pictures_are_loaded_lazily(many_site: Site) -> None:
    html = page_of(many_site, "wflw", standing_of(many_site, "wflw").row.id).read_text(encoding="utf-8")
    pictures = re.findall(r"<img[^>]*>", html)
    assert pictures
    assert all("loading=lazy" in picture for picture in pictures)
    # Text and tables come first: no picture precedes the claims and the metrics.
    assert html.index("<img") > html.index("val-metrics" if "val-metrics" in html else "test-metrics") > 0


def test_two_clicks_from_the_first_page(many_site: Site) -> None:
    root = many_site.path.parent
    first = {(root / link).resolve() for link in Page(many_site.path).links}
    for standing in many_site.standings:
        suite, row = page_of(many_site, standing.suite.name), page_of(many_site, standing.suite.name, standing.row.id)
        assert {suite, row} <= first
        assert row in {(suite.parent / link).resolve() for link in Page(suite).links}


def test_first_page_is_an_index(many_site: Site) -> None:
    html = many_site.path.read_text(encoding="utf-8")
    page = Page(many_site.path)
    groups = [group for group in PARTS if any(table.group == group for table in many.TABLES)]
    assert len(groups) == 6
    for group, title in PARTS.items():
        rows = sum(table.rows for table in many.TABLES if table.group == group)
        assert (f"#{group}" in page.links) == (group in groups)
        assert (f"{title} {rows}" in " ".join(page.text.split())) == (group in groups)
    # Below the heading of its group, each data set has a heading, followed by its suites.
    headings = re.findall(r"<h([123])[^>]*>(?:<bdi>)?([^<]+)", html)
    level = [int(number) for number, _ in headings]
    assert level[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(level))
    names = [name.strip() for number, name in headings if number == "3"]
    assert names == list(dict.fromkeys(table.dataset for table in many.TABLES))
    assert html.index("id=face") < html.index(">WFLW<") < html.index('href="wflw/index.html"') < html.index("id=animal")
    # Everything before the table of all rows fits a phone, because it contains no table.
    assert html.index("<table") > html.index("id=all") > html.index("id=metrics")


def test_index_by_metric(many_suites: list[Suite]) -> None:
    found = {name: entry for entry in metric_index(many_suites) for name in entry.names}
    assert set(found) == {name for table in many.TABLES for name in table.metrics}
    for name, entry in found.items():
        assert [suite.name for suite in entry.suites] == [t.name for t in many.TABLES if name in t.metrics]
    assert found["EPE"].remark == "px, lower is better"
    assert found["NME"].remark == "lower is better"
    assert found["AUC"].remark == ""
    assert found["AUC"].names == ("PCK@0.2", "AUC")


def test_subsets_are_columns(many_site: Site) -> None:
    suite = text_of(page_of(many_site, "wflw"))
    for subset in many.WFLW:
        assert f"NME {subset}, %, lower is better" in suite
    assert "for a mean of runs" not in suite
    standing = standing_of(many_site, "wflw")
    row = Page(page_of(many_site, "wflw", standing.row.id))
    assert "mean" not in row.text.split("Claims")[1].split("Runs")[0]
    assert "there is no mean" in row.text
    for subset in many.WFLW:
        assert f"{subset}-metrics" in row.ids
        cell = standing.cell(f"NME {subset}")
        assert cell.measured == pytest.approx(100 * (standing.results[subset].record.metrics["NME"] or 0))
        assert f"{cell.measured:.3f}" in row.text
    assert len({round(standing.cell(f"NME {subset}").measured or 0, 3) for subset in many.WFLW}) > 1
    assert "for a mean of runs" in text_of(page_of(many_site, "jhmdb"))
    splits = standing_of(many_site, "jhmdb").row
    assert "The value of the row is the mean of these runs" in text_of(page_of(many_site, "jhmdb", splits.id))


def test_runs_unfold(many_site: Site) -> None:
    page = Page(page_of(many_site, "wflw", standing_of(many_site, "wflw").row.id))
    folded = [tag for tag in page.tags if tag == "details"]
    assert len(folded) >= len(many.WFLW)
    # A browser unfolds what holds the target of a link.
    assert [link for link in page.links if link.endswith("-what")] == [f"#{subset}-what" for subset in many.WFLW]
    alone = page_of(many_site, "coco", standing_of(many_site, "coco").row.id)
    assert "class=run" not in alone.read_text(encoding="utf-8")


def test_units_of_their_own(many_site: Site) -> None:
    standing = standing_of(many_site, "onehand10k")
    record = standing.results["val"].record
    assert record.metrics["EPE"] is not None
    page = text_of(page_of(many_site, "onehand10k"))
    assert "EPE, px, lower is better" in page
    line = page.split(standing.row.id)[1].split(standing.checkpoints[0])[0]
    assert f"{record.metrics['EPE']:.2f}" in line
    assert f"{record.metrics['AUC']:.4f}" in line
    first = text_of(many_site.path)
    assert "NME test, %, lower is better" in first


def test_many_keypoints_are_cut_to_the_worst(many_site: Site) -> None:
    standing = standing_of(many_site, "deepfashion2")
    page = page_of(many_site, "deepfashion2", standing.row.id)
    assert "The table has the 20 of 294 keypoints that are found least often" in text_of(page)
    table = page.read_text(encoding="utf-8").split("keypoints that are found least often")[1].split("</table>")[0]
    found = [float(share) for share in re.findall(r"<th>[^<]+(?:<td>[^<]*){3}<td>([\d.]+)", table)]
    diagnosis = Diagnosis.load(standing.results["val"].folder.diagnosis)
    shares = sorted(keypoint.tally.found or 0.0 for keypoint in diagnosis.keypoints)
    assert found[:20] == [float(f"{100 * share:.1f}") for share in shares[:20]]


def test_metric_that_nobody_published(many_suites: list[Suite]) -> None:
    suites = {suite.name: suite for suite in many_suites}
    with many.measured():
        assert printed_like(suites["wflw"], "NME") == suites["wflw"].metrics["NME"]
        assert printed_like(suites["wflw"], "EPE").unit == "px"  # not the percent of NME
        assert printed_like(suites["wflw"], "AUC").unit == "percent"
        assert printed_like(suites["rhd"], "PCKh@0.5").unit == "fraction"
