"""The site as files: written completely or not at all, small enough, with every state and every text escaped."""

import io
import json
import random
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image

from harness.errors import UsageError
from harness.report import site as site_module
from harness.report.cases import NO_ROOM, Room, draw, gallery, limbs
from harness.report.pages import SCRIPTS
from harness.report.plot import Scale, ticks
from harness.report.protocol_table import usual_fields
from harness.report.results import Results, read_results
from harness.report.row_page import row_page
from harness.report.site import Site, write_site
from harness.report.sizes import Size, read_sizes
from harness.report.standings import Standing, read_standings
from harness.report.suite_figures import cost_figures, pareto
from harness.report.suite_page import chosen_metrics, peculiarities
from harness.suites.configs import load_config
from harness.suites.ledger import protocol_without_files
from harness.suites.load import load_suite
from harness.suites.schema import Suite
from report import synthetic
from report.conftest import EVIL, LONG, SUITES

NO_RESULTS = Results((), (), ())


class Page(HTMLParser):
    """Collects what a page links to, its ids and its elements."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.scripts: list[str | None] = []
        """URLs of scripts; None for an inline script."""
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))
        for name, value in attrs:
            self.attributes.append(name)
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "src") and value:
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


def pages(site: Site) -> list[Path]:
    return sorted(site.path.parent.rglob("*.html"))


def test_size(site: Site) -> None:
    assert len(site.standings) == 74 + 6
    total = sum(path.stat().st_size for path in site.path.parent.rglob("*") if path.is_file())
    assert total == site.bytes
    assert total < 8_000_000
    assert len(list(site.path.parent.rglob("*.webp"))) >= 70


def test_links_lead_somewhere(site: Site, evil_site: Site) -> None:
    for path in (*pages(site), *pages(evil_site)):
        page = Page(path)
        assert len(page.ids) == len(set(page.ids)), path
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme in ("https", "data"), link
            elif parts.path:
                assert (path.parent / unquote(parts.path)).is_file(), (path, link)
            else:
                assert parts.fragment in page.ids, (path, link)


def test_every_state_is_said(site: Site) -> None:
    found = {standing.verdict for standing in site.standings}
    assert found == {"reproduced", "within noise", "differs", "own boxes", "partial", "unobtainable", "failed"}
    root = site.path.parent
    for standing in site.standings:
        text = Page(root / standing.suite.name / standing.row.id / "index.html").text
        for reason in standing.reasons:
            assert reason in text
        assert ("Issue for upstream" in text) == (standing.verdict == "differs")
        if standing.verdict == "partial":
            assert all(cell.measured is None for cell in standing.cells)
            assert "not comparable with published values" in text
    coco = Page(root / "coco" / "index.html").text
    assert "the former checkpoint's; commit 33d4a3ed0" in coco
    assert "RunError: the network gives NaN on image 42" in coco


def test_time(seconds: float) -> None:
    assert seconds < 20


@pytest.fixture(scope="module")
def bare_site(suites: list[Suite], tmp_path_factory: pytest.TempPathFactory) -> Site:
    return write_site(tmp_path_factory.mktemp("bare") / "site", suites, NO_RESULTS, {}, None)


def test_without_results(bare_site: Site) -> None:
    assert {standing.verdict for standing in bare_site.standings} == {"not run"}
    row = Page(bare_site.path.parent / "coco" / "resnet-101-256x192" / "index.html")
    assert "harness run coco --rows resnet-101-256x192 --data DIR" in row.text
    assert "the former checkpoint's" in row.text
    assert "From the config" in row.text
    assert "../index.html#protocol" in row.links  # the suite's page has the values of most rows
    assert any(link.endswith("td-hm_res101_8xb64-210e_coco-256x192.py") for link in row.links)


def test_protocol_of_the_suite(bare_site: Site) -> None:
    assert not bare_site.problems
    usual = usual_fields([standing for standing in bare_site.standings if standing.suite.name == "coco"])
    assert (usual["flip.shift"], usual["decoder.codec"], usual["boxes.source"]) == ("yes", "msra", "detector")
    assert not any(field.startswith(("compute", "limit")) or field.endswith("sha256") for field in usual)


def test_former_site_stays_on_failure(tmp_path: Path, suites: list[Suite], monkeypatch: pytest.MonkeyPatch) -> None:
    few = [suite for suite in suites if suite.name == "aic"]
    out = tmp_path / "site"
    write_site(out, few, NO_RESULTS, {}, None)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def fail(*_: object) -> str:
        raise RuntimeError("no")

    monkeypatch.setattr(site_module, "suite_page", fail)
    with pytest.raises(RuntimeError):
        write_site(out, few, NO_RESULTS, {}, None)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert list(tmp_path.iterdir()) == [out]


def test_rows_that_are_gone_leave_no_page(tmp_path: Path, suites: list[Suite]) -> None:
    out = tmp_path / "site"
    write_site(out, [suite for suite in suites if suite.name in ("aic", "humanart")], NO_RESULTS, {}, None)
    write_site(out, [suite for suite in suites if suite.name == "aic"], NO_RESULTS, {}, None)
    assert (out / "aic").is_dir()
    assert not (out / "humanart").exists()


def test_nothing_else_is_replaced(tmp_path: Path, suites: list[Suite]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("")
    for name in ("mine", "file"):
        with pytest.raises(UsageError, match="other files than a site"):
            write_site(tmp_path / name, suites, NO_RESULTS, {}, None)
    (tmp_path / "empty").mkdir()
    assert write_site(tmp_path / "empty", suites[-1:], NO_RESULTS, {}, None).path.is_file()


def test_same_content_gives_same_files(tmp_path: Path, suites: list[Suite], all_results: list[Path]) -> None:
    few = [suite for suite in suites if suite.name == "crowdpose"]
    for name in ("a", "b"):
        write_site(tmp_path / name, few, read_results(all_results[1:]), {}, None)
    files = [
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*.*")
            if path.is_file()
        }
        for name in ("a", "b")
    ]
    assert files[0] == files[1]


def test_strangers_are_named(tmp_path: Path, suites: list[Suite], all_results: list[Path]) -> None:
    mpii, row = suites[1], suites[1].rows[0]
    gone = row.model_copy(update={"id": "gone"})
    own = mpii.model_copy(update={"name": "tinypose"})
    for suite, other in ((mpii, gone), (own, row)):
        record = synthetic.record(suite, other, "val", "complete", None, random.Random(0))
        synthetic.write_run(tmp_path / "runs", suite, other, record)
    site = write_site(tmp_path / "site", [mpii], read_results([*all_results[:1], tmp_path / "runs"]), {}, None)
    count = len(list(all_results[0].glob("coco/*/*/record.json")))
    assert [problem for problem in site.problems if "coco" in problem] == [
        f"records left out, as the site has no suite coco: {count}\n  add `--suite coco`"
    ]
    assert [problem for problem in site.problems if "tinypose" in problem] == [
        "records left out, as the site has no suite tinypose: 1\n  add `--suite PATH`"
    ]
    folder = tmp_path / "runs/mpii/gone/val/record.json"
    assert f"a record of mpii/gone, run val, which the suite does not have: {folder}" in site.problems
    assert "the site has no suite coco:" in Page(site.path).text


@pytest.mark.parametrize("status", ["unobtainable", "failed"])
def test_a_run_without_predictions(tmp_path: Path, status: Literal["unobtainable", "failed"]) -> None:
    """Nothing was hashed, and there is nothing to score."""
    suite = load_suite("aic")
    row = suite.rows[0]
    record = synthetic.record(suite, row, "val", status, "the checkpoint is missing: x.pth", random.Random(0))
    synthetic.write_run(tmp_path / "runs", suite, row, record)
    site = write_site(tmp_path / "site", [suite], read_results([tmp_path / "runs"]), {}, None)
    text = Page(site.path.parent / "aic" / row.id / "index.html").text
    assert f"{row.runs['val'].checkpoint.sha256} published; no file was hashed" in text
    assert "diagnosis" not in text


def test_hostile_text_is_text(evil_site: Site) -> None:
    for path in pages(evil_site):
        page = Page(path)
        assert page.scripts, path
        assert {urlsplit(source or "").path.rsplit("/", 1)[-1] for source in page.scripts} <= set(SCRIPTS), path
        assert "img" not in page.tags
        assert not [name for name in page.attributes if name.startswith("on")]
        html = path.read_text(encoding="utf-8")
        assert "<script>window.evil" not in html
    root = evil_site.path.parent
    row = Page(root / "evil" / "ok" / "index.html")
    assert LONG in row.text
    assert EVIL in row.text
    assert LONG in Page(root / "evil" / "failed" / "index.html").text
    assert (root / "evil" / "index" / "index.html").is_file()
    assert max(len(path.name) for path in root.rglob("*")) < 120
    assert not any("javascript:" in link for path in pages(evil_site) for link in Page(path).links)


def test_pictures(tmp_path: Path, suites: list[Suite], all_results: list[Path]) -> None:
    import random

    coco = next(suite for suite in suites if suite.name == "coco")
    synthetic.write_images(tmp_path, [coco])
    images = tmp_path / "coco" / "val2017"
    diagnosis = synthetic.diagnosis(17, random.Random(0), oks=True)
    joined = limbs("CocoDataset", synthetic.NAMES)
    assert len(joined) == 19
    assert limbs("MineDataset", synthetic.NAMES) == ()
    case = diagnosis.median[0]
    picture = draw(case, "median 1", joined, images, 200)
    assert max(picture.width, picture.height) == 200
    assert picture.image is not None
    assert Image.open(io.BytesIO(picture.image)).size == (picture.width, picture.height)
    assert picture.predicted.count("M") == 19
    assert 0 < picture.labelled.count("M") < 19  # the nose is not labelled
    assert sum(dots.count("M") for _, dots in picture.joints) == 17
    for name, said in (("../../../etc/passwd", "outside"), ("nowhere.jpg", "cannot be read"), (None, "do not name")):
        without = draw(case.model_copy(update={"image": name}), "worst 1", joined, images, 200)
        assert without.image is None
        assert said in (without.problem or "")
    (images / "half.jpg").write_bytes((images / "000000000001.jpg").read_bytes()[:3000])
    half = draw(case.model_copy(update={"image": "half.jpg"}), "worst 1", joined, images, 200)
    assert "cannot be read" in (half.problem or "")
    small, large = (gallery(diagnosis, joined, images, Room(100, room)) for room in (0, 10**9))
    assert [(p.rank, p.image, p.problem) for p in small.pictures] == [("worst 1", None, NO_ROOM)]
    assert small.left_out == 17
    assert [p.rank for p in large.pictures][:2] == ["worst 1", "worst 2"]
    assert large.pictures[-1].rank == "median 6"


def test_pictures_of_several_data_sets(tmp_path: Path) -> None:
    """Their names are relative to the data folder."""
    draw, suite = random.Random(0), load_suite("body8")
    row = suite.rows[0]
    synthetic.write_images(tmp_path, [suite])
    record = synthetic.record(suite, row, "val", "complete", None, draw, metrics={"PCK@0.1": 0.9})
    folder = synthetic.write_run(tmp_path / "results", suite, row, record)
    protocol = protocol_without_files(load_config(suite, row, row.runs["val"]))
    folder.protocol.write_text(protocol.model_dump_json())
    synthetic.diagnosis(17, draw, oks=False, image="coco/val2017/000000000001.jpg").save(folder.diagnosis)
    standing, *_ = read_standings(suite, read_results([tmp_path / "results"]).found, {})[0]
    page = row_page(standing, {}, tmp_path, Room(80, 10**6), has_card=False)
    assert len(page.images) == 18


def test_far_predictions_do_not_shrink_the_person(suites: list[Suite]) -> None:
    import random

    case = synthetic.diagnosis(17, random.Random(0), oks=True).median[0]
    far = case.model_copy(update={"predicted": ((1e7, -1e7), *case.predicted[1:])})
    assert draw(far, "worst 1", (), None, 200).width == draw(case, "worst 1", (), None, 200).width


def test_pareto() -> None:
    points = [(1, 5), (2, 4), (2, 7), (3, 7), (4, 9), (0.5, 5), (9, 9)]
    front = pareto(points)
    better = [
        index
        for index, (cost, value) in enumerate(points)
        if not any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)
    ]
    assert sorted(front) == sorted(better)


def test_cost_figures_do_not_mix_boxes(suites: list[Suite]) -> None:
    humanart = next(suite for suite in suites if suite.name == "humanart")
    sizes = {f"{humanart.row_id(row)}/val": Size(gflop=10.0 + index) for index, row in enumerate(humanart.rows)}
    figures = cost_figures(read_standings(humanart, [], sizes)[0], "AP")
    assert [figure.title for figure in figures] == [
        "AP against operations, Human-Art, detector boxes",
        "AP against operations, Human-Art, ground-truth boxes",
    ]
    assert [len(figure.marks) for figure in figures] == [2, 2]
    alone = dict([*sizes.items()][:2])
    assert len(cost_figures(read_standings(humanart, [], alone)[0], "AP")) == 1  # a figure needs two rows


def test_sizes_of_rows_that_never_ran() -> None:
    sizes = read_sizes(Path(__file__).parents[2] / "results/parity.json")
    assert sizes["coco/hrnet-w32-256x192/val"] == Size(parameters=28_536_113, gflop=15.3)
    overview = [load_suite(name) for name in SUITES if name != "demo"]
    runs = {f"{suite.row_id(row)}/{run}" for suite in overview for row in suite.rows for run in row.runs}
    assert runs <= {name for name, size in sizes.items() if size.parameters}


def test_what_a_reader_sees_first(bare_site: Site) -> None:
    def of(suite: str) -> list[Standing]:
        return [standing for standing in bare_site.standings if standing.suite.name == suite]

    assert chosen_metrics(of("coco")) == ["AP", "AR"]
    assert chosen_metrics(of("demo")) == ["AP", "AR", "PCKh@0.5"]  # one row has MPII's form
    demo = of("demo")
    usual = usual_fields(demo)
    other = next(standing for standing in demo if "mpii" in standing.row.id)
    assert [(line.field, line.value) for line in peculiarities(other, usual)] == [
        ("dataset", "MpiiDataset"),
        ("boxes.source", "ground-truth"),
        ("scoring.metric", "pckh"),
    ]


@pytest.mark.parametrize(
    ("low", "high", "log"),
    [(0.45, 0.8, False), (-0.001, 0.002, False), (0.3, 900.0, True), (0.8, 1.2, True), (2.4, 23.0, True)],
)
def test_ticks(low: float, high: float, log: bool) -> None:
    scale = Scale(low, high, 0, 100, log)
    found = ticks(scale)
    values = [float(label.replace("\N{MINUS SIGN}", "-").replace(",", "")) for _, label in found]
    assert 3 <= len(found) <= 12
    assert values == sorted(set(values))
    assert all(low <= value <= high for value in values)
    assert [place for place, _ in found] == [scale(value) for value in values]


def test_command(
    tmp_path: Path, all_results: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.cli import main

    monkeypatch.chdir(tmp_path)
    shutil.copytree(all_results[1] / "aic", tmp_path / "runs" / "aic")
    assert main(["report", "--suite", "aic", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["rows"], document["page"]) == (2, str(Path("reports/site/index.html")))
    assert sum(document["counts"].values()) == 2
    assert "warning" not in err
    assert main(["report", "--suite", "aic"]) == 0
    assert re.fullmatch(rf"2 rows: .*\n{re.escape(document['page'])}   0\.\d MB\n", capsys.readouterr().out)
    assert main(["report", "nowhere"]) == 2
    assert main(["report", "--data", "nowhere"]) == 2
    assert main(["report", "--parity", "nowhere.json"]) == 3
    assert main(["report", "--suite", "nothing"]) == 2


def test_a_suite_of_ones_own(tmp_path: Path) -> None:
    own = (load_suite("aic").path or Path()).read_text().replace("name: aic", "name: mine", 1)
    (tmp_path / "mine.yaml").write_text(own)
    site = write_site(tmp_path / "site", [load_suite(tmp_path / "mine.yaml")], NO_RESULTS, {}, None)
    row = Page(site.path.parent / "mine" / "resnet-101-256x192" / "index.html")
    assert f"harness run {tmp_path}/mine.yaml --rows resnet-101-256x192" in row.text
