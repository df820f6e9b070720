"""A row whose runs are subsets: each is judged and shown for itself, and their mean nowhere."""

import json
import random
from pathlib import Path

import pytest

from harness.cli import main
from harness.cli.verdicts import row_line, summary
from harness.errors import SpecError
from harness.judge.verdict import judge_row, judge_run
from harness.record import Noise, Record, Variant
from harness.report.cases import Room
from harness.report.downloads import as_csv, as_json, as_latex, as_markdown
from harness.report.protocol_table import usual_fields
from harness.report.results import read_results
from harness.report.row_page import row_page
from harness.report.sizes import Size
from harness.report.standings import Standing, read_standings
from harness.report.suite_figures import cost_figures, difference_figures
from harness.report.suite_page import suite_page
from harness.report.upstream_issue import upstream_issue
from harness.run.row_outcome import RowOutcome
from harness.suites.load import load_suite
from harness.suites.schema import Suite
from report import synthetic

SUITE = """\
schema_version: 1
name: mine
title: Faces
dataset: {name: WFLW, num_keypoints: 98, images: wflw/images}
metrics:
  NME: {label: NME, unit: percent, decimals: 2, tolerance: 0.02, reason: the page moved by this}
rows:
  - id: small-256x256
    label: Small
    input_size: 256x256
    boxes: ground-truth
    runs_are: subsets
    runs:
      test:
        config: a.py
        checkpoint: &weights {url: https://example.com/a.pth, sha256: "01234567"}
        annotations: wflw/annotations/test.json
        published: {page: {NME: 4.06}}
      blur:
        config: a.py
        checkpoint: *weights
        annotations: wflw/annotations/blur.json
        published:
          page: {NME: 4.58}
          metafile: {NME: {value: 9.99, refuted: a slip}}
          history: {NME: {value: 4.59, gates: false}}
  - id: big-256x256
    label: Big
    input_size: 256x256
    boxes: ground-truth
    runs_are: subsets
    runs:
      test: {config: a.py, checkpoint: *weights, annotations: wflw/a/test.json, published: {page: {NME: 3.98}}}
      blur: {config: a.py, checkpoint: *weights, annotations: wflw/a/blur.json, published: {page: {NME: 4.56}}}
"""
MEAN = "4.32"  # of 4.06 and 4.58, and of what is measured of the small one below


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    path = tmp_path / "mine.yaml"
    path.write_text(SUITE)
    return load_suite(path)


def records(suite: Suite, test: float | None, blur: float | None, **fields: object) -> list[Record]:
    row, draw = suite.rows[0], random.Random(0)
    return [
        synthetic.record(suite, row, run, "complete", None, draw, metrics={"NME": value}).model_copy(update=fields)
        for run, value in (("test", test), ("blur", blur))
    ]


@pytest.mark.parametrize(
    ("test", "blur", "verdicts", "overall"),
    [
        (0.0406, 0.0458, ["reproduced", "reproduced"], "reproduced"),
        (0.0458, 0.0406, ["differs", "differs"], "differs"),  # whose mean is that of the claims
        (0.0406, 0.0480, ["reproduced", "differs"], "differs"),
        (0.0406, 0.0460, ["reproduced", "within noise"], "within noise"),
        (0.0406, None, ["reproduced", "differs"], "differs"),
    ],
)
def test_each_subset_gates(
    suite: Suite, test: float | None, blur: float | None, verdicts: list[str], overall: str
) -> None:
    claims, verdict = judge_row(suite.rows[0], suite.metrics, records(suite, test, blur))
    assert verdict == overall
    gating = [judged for judged in claims if judged.claim.gates and not judged.claim.refuted]
    assert [(judged.claim.run, judged.verdict) for judged in gating] == [
        ("test", verdicts[0]),
        ("blur", verdicts[1]),
    ]
    assert [judged.verdict for judged in claims if judged.claim.refuted] == ["contradicted"]


def test_without_one_subset_there_is_no_verdict(suite: Suite) -> None:
    assert judge_row(suite.rows[0], suite.metrics, records(suite, 0.0406, 0.0458)[:1]) == ([], "not run")


def test_noise_is_that_of_the_subset(suite: Suite) -> None:
    noise = Noise(variants=[Variant(change="batch size 1", differences={"NME": 0.01})])
    calm, noisy = records(suite, 0.0500, 0.0500, noise=noise)
    calm = calm.model_copy(update={"noise": None})
    claims, verdict = judge_row(suite.rows[0], suite.metrics, [calm, noisy])
    assert [judged.verdict for judged in claims if judged.claim.source == "page"] == ["differs", "within noise"]
    assert verdict == "differs"


def test_one_run_is_judged_by_its_own_claims(suite: Suite) -> None:
    claims, verdict = judge_run(suite.rows[0], "blur", suite.metrics, {"NME": 0.0458}, "complete")
    assert verdict == "reproduced"
    assert [(judged.claim.source, judged.claim.value) for judged in claims] == [
        ("page", 4.58),
        ("metafile", 9.99),
        ("history", 4.59),
    ]


@pytest.fixture
def standings(suite: Suite, tmp_path: Path) -> list[Standing]:
    """The small row with a record of each subset, and the big one without any."""
    for record in records(suite, 0.0458, 0.0406):
        synthetic.write_run(tmp_path / "runs", suite, suite.rows[0], record)
    sizes = {f"mine/{row.id}/test": Size(10_000_000 * (place + 1), 5.0) for place, row in enumerate(suite.rows)}
    found, _ = read_standings(suite, read_results([tmp_path / "runs"]).found, sizes)
    return found


def test_columns_of_the_table(standings: list[Standing]) -> None:
    small, big = standings
    assert [cell.name for cell in small.cells] == ["NME test", "NME blur"]
    assert [cell.printed and cell.printed.value for cell in big.cells] == [3.98, 4.56]
    assert [cell.measured for cell in small.cells] == pytest.approx([4.58, 4.06])
    assert [cell.measured for cell in big.cells] == [None, None]
    intervals = [result.record.intervals["NME"] for result in small.results.values()]
    assert [cell.interval for cell in small.cells] == [
        pytest.approx((100 * low, 100 * high)) for low, high in intervals
    ]
    assert small.verdict == "differs"


def test_exports_and_pages_have_no_mean(suite: Suite, standings: list[Standing]) -> None:
    small = standings[0]
    exports = [form(suite, standings) for form in (as_csv, as_json, as_markdown, as_latex)]
    page = row_page(small, {}, None, Room(80, 0), has_card=False).html
    issue = upstream_issue(small)
    assert issue is not None
    for text in (*exports, page, issue):
        assert MEAN not in text
    assert "mean of" not in suite_page(suite, standings, usual_fields(standings))
    assert ">mean<" not in page
    assert "| NME test | 4.06 | page | 4.580 |" in issue
    assert "NME blur measured" in exports[0]
    metrics = json.loads(exports[1])["rows"][0]["metrics"]
    assert {name: round(entry["measured"], 2) for name, entry in metrics.items()} == {
        "NME test": 4.58,
        "NME blur": 4.06,
    }


def test_figures_are_of_one_subset(standings: list[Standing]) -> None:
    sizes, operations = cost_figures(standings, "NME blur")  # none against speed: one row has none
    assert sizes.title == "NME blur against size"
    assert sizes.y_label == "NME, %, lower is better"
    assert len(sizes.marks) == len(operations.marks) == 2
    assert "Small (small-256x256): NME blur 4.060" in sizes.marks[0].title
    (bars,) = difference_figures(standings, "NME test")
    assert bars.title == "Difference of NME test by row"


def test_subsets_without_published_values_have_no_mean_either(
    suite: Suite, standings: list[Standing], tmp_path: Path
) -> None:
    row = suite.rows[0]
    runs = {name: run.model_copy(update={"published": {}}) for name, run in row.runs.items()}
    own = suite.model_copy(update={"rows": [row.model_copy(update={"runs": runs}), suite.rows[1]]})
    small, _ = read_standings(own, standings[0].history, {})[0]
    assert small.verdict == "measured"
    assert [cell.measured for cell in small.cells] == pytest.approx([4.58, 4.06])
    before_published, _, _ = SUITE.partition("        published:\n")
    (tmp_path / "own.yaml").write_text(before_published.replace("        published: {page: {NME: 4.06}}\n", ""))
    (small,) = read_standings(load_suite(tmp_path / "own.yaml"), standings[0].history, {})[0]
    assert [(cell.name, cell.measured, cell.interval) for cell in small.cells] == [("NME", None, None)]


def test_lines_of_rows_without_published_values(suite: Suite) -> None:
    published = suite.rows[0].model_copy(update={"published": {}, "runs_are": "splits"})
    runs = {name: run.model_copy(update={"published": {}}) for name, run in published.runs.items()}
    row, found = published.model_copy(update={"runs": runs}), records(suite, 0.0458, 0.0406)
    outcome = RowOutcome(suite, row, found, *judge_row(row, suite.metrics, found))
    assert row_line(outcome, 0) == f"{outcome.id}   NME 4.320   \x1b[36mmeasured\x1b[0m"


def test_lines_of_a_run(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    row, found = suite.rows[0], records(suite, 0.0458, 0.0406)
    outcome = RowOutcome(suite, row, found, *judge_row(row, suite.metrics, found))
    line = row_line(outcome, 0)
    assert "NME test 4.06 -> 4.580 (+0.520)   NME blur 4.58 -> 4.060 (-0.520)" in line
    assert MEAN not in "\n".join(summary([outcome], Path("runs")))
    assert main(["list", str(suite.path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[2].split() == ["row", "label", "boxes", "NME", "test", "NME", "blur", "state"]
    assert shown[3].split() == ["mine/small-256x256", "Small", "ground-truth", "4.06", "4.58", "not", "run"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    runs_are: subsets\n    runs:\n      test:\n        config",
            "    published: {page: {NME: 4.3}}\n    runs_are: subsets\n    runs:\n      test:\n        config",
            "rows[0].published: subsets have no common value; write the values of each run into its `published`",
        ),
        (
            "    runs_are: subsets\n    runs:\n      test:\n        config",
            "    unconfirmed: {NME: so}\n    runs_are: subsets\n    runs:\n      test:\n        config",
            "rows[0].unconfirmed.NME: the row's table has no such metric",
        ),
        (
            "      blur: {config: a.py, checkpoint: *weights, annotations: wflw/a/blur.json,"
            " published: {page: {NME: 4.56}}}\n",
            "",
            "rows[1].runs_are: subsets are several runs; the row has one",
        ),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert SUITE.count(old) == 1
    path = tmp_path / "mine.yaml"
    path.write_text(SUITE.replace(old, new))
    with pytest.raises(SpecError, match=r".") as caught:
        load_suite(path)
    assert message in str(caught.value)


def test_a_page_says_where_else_a_row_is_printed_and_how_it_is_evaluated() -> None:
    def page(suite: Suite, row: str) -> str:
        (standing,) = [found for found in read_standings(suite, [], {})[0] if found.row.id == row]
        return row_page(standing, {}, None, None, has_card=False).html  # type: ignore[arg-type]

    coco = load_suite("coco-pages")
    part = coco.model_copy(update={"rows": [row for row in coco.rows if row.id.startswith("vitpose-b")]})
    assert "Also printed in <bdi>configs/body_2d_keypoint/topdown_heatmap/humanart/" in page(part, "vitpose-b-256x192")
    assert (
        "test settings of <code>body_2d_keypoint/topdown_heatmap/coco/td-hm_ViTPose-base_8xb64-210e_coco-256x192.py<"
        in page(part, "vitpose-b-humanart-256x192")
    )
