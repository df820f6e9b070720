"""Downloads as complete strings; hostile text is escaped in each of them."""

import csv
import io
import json
import random
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.record import Network
from harness.report.downloads import as_csv, as_json, as_latex, as_markdown, latex_text
from harness.report.markdown import markdown_text
from harness.report.model_index import model_index
from harness.report.protocol_table import usual_fields
from harness.report.results import read_results
from harness.report.sizes import Size
from harness.report.standings import Standing, read_standings
from harness.report.suite_page import suite_page
from harness.report.upstream_issue import upstream_issue
from harness.suites.load import load_suite
from harness.suites.schema import Suite
from report import synthetic
from report.conftest import EVIL, hostile_suite

COCO = """
schema_version: 1
name: mine
title: A table & its title
dataset:
  {name: COCO, num_keypoints: 17, annotations: c/val.json, images: c/val, boxes: c/boxes.json}
metrics:
  AP: {label: AP, unit: fraction, decimals: 3}
  AR: {label: AR, unit: percent, decimals: 1}
rows:
"""
ROW = """
  - id: {id}
    label: {label}
    input_size: 256x192
    boxes: detector
    published: {published}
    runs:
      val: {{config: {id}.py, checkpoint: {{url: "https://example.org/{id}.pth", sha256: 0a1b2c3d}}}}
"""
REFUTED = "{table: {AP: {value: 0.7, refuted: old}, AR: 80}, page: {AP: 0.71}}"


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    rows = [
        ROW.format(id="a", label='"=Net_1"', published="{table: {AP: 0.749, AR: 80.4}}"),
        ROW.format(id="b", label="Net|2", published=REFUTED),
        ROW.format(id="c", label="Net 3", published="{table: {AP: 0.5, AR: 60}}"),
    ]
    path = tmp_path / "mine.yaml"
    path.write_text(COCO + "".join(rows))
    return load_suite(path)


@pytest.fixture
def standings(suite: Suite, tmp_path: Path) -> list[Standing]:
    draw = random.Random(0)
    a, b, _ = suite.rows
    values = {"AP": 0.74861, "AR": 0.80449}
    complete = synthetic.record(
        suite,
        a,
        "val",
        "complete",
        None,
        draw,
        metrics=values,
        intervals={"AP": (0.7412, 0.7561)},
        people=1000,
        timings={"forward": 4.0},
        boxes=None,
        network=Network(parameters=28_536_112, gflop=15.25),
    )
    weights = complete.weights
    assert weights is not None
    weights = weights.model_copy(update={"sha256": "f" * 64})
    synthetic.write_run(tmp_path / "runs", suite, a, complete.model_copy(update={"weights": weights}))
    failed = synthetic.record(suite, b, "val", "failed", 'no, "memory"\n  again', draw)
    synthetic.write_run(tmp_path / "runs", suite, b, failed)
    return read_standings(suite, read_results([tmp_path / "runs"]).found, {"mine/a/val": Size(gflop=15.25)})[0]


def test_csv(suite: Suite, standings: list[Standing]) -> None:
    assert (
        as_csv(suite, standings)
        == """\
suite,row,boxes,label,input_size,AP published,AP source,AP measured,AP difference,AP low,AP high,AP verdict,\
AR published,AR source,AR measured,AR difference,AR low,AR high,AR verdict,verdict,reason,parameters,gflop,\
people_per_s,device,precision,checkpoint_sha256
mine,a,detector,'=Net_1,256x192,0.749,table,0.7486,-0.0004,0.7412,0.7561,reproduced,\
80.4,table,80.45,0.05,,,reproduced,reproduced,,28536112,15.25,250.0,NVIDIA H100 80GB HBM3,fp32,ffffffff
mine,b,detector,Net|2,256x192,0.710,page,,,,,failed,80.0,table,,,,,failed,failed,"no, ""memory"" again",,,,,,0a1b2c3d
mine,c,detector,Net 3,256x192,0.500,table,,,,,not run,60.0,table,,,,,not run,not run,,,,,,,0a1b2c3d
"""
    )


def test_markdown(suite: Suite, standings: list[Standing]) -> None:
    assert (
        as_markdown(suite, standings)
        == r"""**A table \& its title**

| boxes | model | input | AP published | AP measured | AR published | AR measured | verdict |
|---|---|---|---:|---:|---:|---:|---|
| detector | =Net\_1 | 256x192 | 0.749 | 0.7486 | 80.4 | 80.45 | reproduced |
| detector | Net\|2 | 256x192 | 0.710 | - | 80.0 | - | failed |
| detector | Net 3 | 256x192 | 0.500 | - | 60.0 | - | not run |
"""
    )


def test_a_row_without_published_values_shows_what_was_measured(suite: Suite, standings: list[Standing]) -> None:
    first, *_ = standings
    own = suite.model_copy(update={"rows": [first.row.model_copy(update={"published": {}}), *suite.rows[1:]]})
    found, *_ = read_standings(own, first.history, {})[0]
    assert found.verdict == "measured"
    assert [cell.measured for cell in found.cells] == pytest.approx([0.74861, 80.449])
    assert [cell.difference for cell in found.cells] == [None, None]
    assert found.cells[0].interval == pytest.approx((0.7412, 0.7561))
    assert "| detector | =Net\\_1 | 256x192 | - | 0.7486 | - | 80.45 | measured |" in as_markdown(own, [found])
    assert ",,,0.7486,,0.7412,0.7561,measured,,,80.45,,,,measured,measured," in as_csv(own, [found])
    assert suite_page(own, [found], usual_fields([found])).count("0.7486") == 1


def test_latex(suite: Suite, standings: list[Standing]) -> None:
    assert (
        as_latex(suite, standings)
        == r"""% \usepackage{booktabs}
\begin{table}
\caption{A table \& its title}
\begin{tabular}{lllrrrrl}
\toprule
boxes & model & input & AP published & AP measured & AR published & AR measured & verdict \\
\midrule
detector & =Net\_1 & 256x192 & 0.749 & 0.7486 & 80.4 & 80.45 & reproduced \\
detector & Net\textbar{}2 & 256x192 & 0.710 & - & 80.0 & - & failed \\
detector & Net 3 & 256x192 & 0.500 & - & 60.0 & - & not run \\
\bottomrule
\end{tabular}
\end{table}
"""
    )


def test_json(suite: Suite, standings: list[Standing]) -> None:
    document = json.loads(as_json(suite, standings))
    first = document["rows"][0]
    assert first["metrics"]["AP"] == {
        "measured": 0.74861,
        "difference": 0.74861 - 0.749,
        "interval": [0.7412, 0.7561],
        "verdict": "reproduced",
    }
    assert first["metrics"]["AR"]["measured"] == 80.449
    assert [row["verdict"] for row in document["rows"]] == ["reproduced", "failed", "not run"]
    assert document["rows"][1]["claims"][0]["refuted"] == "old"


def test_model_index(standings: list[Standing]) -> None:
    document = yaml.safe_load(model_index(standings[0]))["model-index"]
    assert document[0]["name"] == "=Net_1"
    (result,) = document[0]["results"]
    assert result["task"]["type"] == "keypoint-detection"
    assert result["dataset"] | {"revision": ""} == {
        "type": "mine",
        "name": "COCO",
        "split": "c/val.json",
        "revision": "",
    }
    assert result["metrics"] == [
        {"type": "AP", "name": "AP", "value": 0.7486, "args": {"confidence_interval": [0.7412, 0.7561], "level": 0.95}},
        {"type": "AR", "name": "AR", "value": 80.45},
    ]


def test_upstream_issue(suite: Suite, tmp_path: Path) -> None:
    row = suite.rows[0]
    values = {"AP": 0.7312, "AR": 0.8041}
    record = synthetic.record(
        suite, row, "val", "complete", None, random.Random(0), metrics=values, intervals={"AP": (0.724, 0.7385)}
    )
    assert record.weights is not None
    assert record.boxes is not None
    record = record.model_copy(
        update={
            "weights": record.weights.model_copy(update={"sha256": "f" * 64}),
            "boxes": record.boxes.model_copy(update={"sha256": "b" * 64}),
        }
    )
    synthetic.write_run(tmp_path / "runs", suite, row, record)
    (standing, *_), _ = read_standings(suite, read_results([tmp_path / "runs"]).found, {})
    assert (
        upstream_issue(standing)
        == f"""\
# =Net\\_1 on COCO: AP 0.749 is published, 0.7312 measured

The published checkpoint of `=Net_1` (256x192, detector boxes), evaluated with its published config, does not give the \
published value.

| metric | published | where | measured | difference | 95% interval |
|---|---:|---|---:|---:|---|
| AP | 0.749 | table | 0.7312 | −0.0178 | 0.724 – 0.739 |

- config: `a.py`
- checkpoint: https://example.org/a.pth
- its sha256: `{"f" * 64}`
- 104,125 people in 5,000 images
- box file: sha256 `{"b" * 64}`, person AP 56.4
- boxes: `source detector`
- crop: `input_size [192, 256], padding 1.25, affine plain`
- flip: `enabled True, shift True, mode heatmap`
- decoder: `codec msra, heatmap_size [48, 64]`
- scoring: `metric oks, score_mode bbox_keypoint, keypoint_score_threshold 0.2, nms oks, nms_threshold 0.9, area \
annotation, crowd False`
- versions: `torch 2.14.1, mmpose 1.3.2, mmcv-lite 2.1.0, numpy 1.26.4`

Reproduce it with:

```sh
harness run {tmp_path}/mine.yaml --rows a --data DIR --batch-size 32 --device cuda:0
```
"""  # noqa: RUF001
    )


def test_hostile_text(tmp_path: Path) -> None:
    suite = hostile_suite(tmp_path / "evil.yaml")
    standings, _ = read_standings(suite, [], {})
    lines = list(csv.reader(io.StringIO(as_csv(suite, standings))))
    assert {len(line) for line in lines} == {len(lines[0])}
    assert lines[1][3].startswith(" ".join(EVIL.split()))
    assert json.loads(as_json(suite, standings))["rows"][0]["label"] == suite.rows[0].label
    table = as_markdown(suite, standings).splitlines()
    assert len(table) == 4 + len(standings)
    assert all(line.count("|") - line.count("\\|") == table[2].count("|") for line in table[2:])
    assert "<script" not in as_markdown(suite, standings).replace("\\<", "")
    latex = as_latex(suite, standings)
    assert "\\input{" not in latex
    assert latex.count("\\\\\n") == 1 + len(standings)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1"])
def test_no_formula_in_a_spreadsheet(suite: Suite, standings: list[Standing], text: str) -> None:
    rows = [suite.rows[0].model_copy(update={"label": text}), *suite.rows[1:]]
    first = Standing(**{**vars(standings[0]), "row": rows[0]})
    (_, line) = csv.reader(io.StringIO(as_csv(suite, [first])))
    assert line[3] == f"'{text.strip()}"


@given(st.text())
def test_latex_and_markdown_take_any_text_as_text(text: str) -> None:
    latex = latex_text(text)
    for command in (
        "\\textbackslash{}",
        "\\textasciitilde{}",
        "\\textasciicircum{}",
        "\\textless{}",
        "\\textgreater{}",
        "\\textbar{}",
        "\\textquotedbl{}",
        *(f"\\{sign}" for sign in "{}$&#_%"),
    ):
        latex = latex.replace(command, "")
    assert not set(latex) & set('\\{}~^<>|"$&#_%\n')
    markdown = markdown_text(text)
    assert "\n" not in markdown
    plain = markdown.replace("\\\\", "")
    assert all(before == "\\" for before, sign in zip(" " + plain, plain, strict=False) if sign in "`*_{}[]<>#|~&@")
