"""Sites for the tests: one with every state, one with hostile text everywhere, one with many suites; and a browser."""

import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness.files import write_json
from harness.record import BoxesUsed
from harness.report.results import read_results
from harness.report.site import Site, write_site
from harness.report.sizes import Size
from harness.suites.load import load_suite
from harness.suites.schema import Suite
from report import many, synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SUITES = ("coco", "mpii", "crowdpose", "aic", "jhmdb", "posetrack18", "humanart", "demo")
EVIL = (
    "\"'><script>window.evil = 1</script><img src=x onerror=window.evil=2>{{7*7}} \u202eesrever\u202c שלום "
    '=HYPERLINK("http://evil.example") \\input{x} $x_1^2$ & % # ~ `tick` | [a](javascript:window.evil=3) ]]> --> '
)
LONG = EVIL + "x" * 5000
PATH = "".join(sign for sign in EVIL if sign.isprintable())
"""The part of it that a path may contain."""


@pytest.fixture(scope="session")
def suites() -> list[Suite]:
    return [load_suite(name) for name in SUITES]


@pytest.fixture(scope="session")
def all_results(suites: list[Suite], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return two folders of results: an old one of some rows, and one of all rows, with diagnoses."""
    folder = tmp_path_factory.mktemp("results")
    some: list[Any] = [("complete", None), ("partial", "only the first 2 images"), ("failed", "RunError: no memory")]
    synthetic.write_results(folder / "old", suites, seed=1, states=some)
    synthetic.write_results(folder / "new", suites, seed=2, diagnosed=True)
    return [folder / "old", folder / "new"]


@pytest.fixture(scope="session")
def sizes(suites: list[Suite]) -> dict[str, Size]:
    draw = random.Random(0)
    ids = [f"{suite.row_id(row)}/{run}" for suite in suites for row in suite.rows for run in row.runs]
    return {name: Size(draw.randrange(2_000_000, 90_000_000), draw.uniform(0.5, 80)) for name in ids}


@pytest.fixture(scope="session")
def timed_site(
    suites: list[Suite], all_results: list[Path], sizes: dict[str, Size], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Site, float]:
    """Return a site of all rows with pictures, and the seconds that one core takes to write it."""
    folder = tmp_path_factory.mktemp("site")
    synthetic.write_images(folder / "data", suites)
    start = time.process_time()
    site = write_site(folder / "site", suites, read_results(all_results), sizes, folder / "data")
    return site, time.process_time() - start


@pytest.fixture(scope="session")
def site(timed_site: tuple[Site, float]) -> Site:
    return timed_site[0]


@pytest.fixture(scope="session")
def seconds(timed_site: tuple[Site, float]) -> float:
    return timed_site[1]


@pytest.fixture(scope="session")
def many_suites(tmp_path_factory: pytest.TempPathFactory) -> list[Suite]:
    """Return as many suites as are published, from all groups."""
    with many.measured():
        return many.write_suites(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="session")
def many_site(many_suites: list[Suite], tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site of all their rows, with diagnoses and pictures."""
    folder = tmp_path_factory.mktemp("many-site")
    with many.measured():
        synthetic.write_results(folder / "results", many_suites, seed=3, diagnosed=True)
        synthetic.write_images(folder / "data", many_suites)
        return write_site(folder / "site", many_suites, read_results([folder / "results"]), {}, folder / "data")


def hostile_suite(path: Path) -> Suite:
    """Write and load a suite with hostile text in every free text field."""
    checkpoint = {"url": "https://example.org/x.pth", "sha256": "0123456789abcdef"}
    rows = [
        {
            "id": identifier,
            "label": LONG,
            "label_note": EVIL,
            "input_size": "256x192",
            "boxes": "detector",
            "published": {
                "table": {"AP": {"value": 0.7, "refuted": EVIL, "published_as": EVIL}, "AR": 0.8},
                "page": {"AP": 0.75},
            },
            "unconfirmed": {"AR": EVIL},
            "runs": {"val": {"config": f"{PATH}.py", "checkpoint": checkpoint}},
            "notes": [LONG],
            "overrides": [{"field": "bbox_file", "value": PATH, "reason": EVIL}],
        }
        for identifier in ("ok", "differs", "failed", "not-run", "index", "a" * 100)
    ]
    metric = {"label": EVIL, "unit": "fraction", "decimals": 3, "tolerance": 0.001, "reason": EVIL}
    dataset = {
        "name": EVIL,
        "num_keypoints": 17,
        "annotations": "x/a.json",
        "images": "x/images",
        "boxes": "x/boxes.json",
    }
    document = {
        "schema_version": 1,
        "name": "evil",
        "title": LONG,
        "dataset": dataset,
        "metrics": {"AP": metric, "AR": metric},
        "rows": rows,
    }
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return load_suite(path)


@pytest.fixture(scope="session")
def evil_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site of a suite and records with hostile text in every text field."""
    folder = tmp_path_factory.mktemp("evil")
    suite = hostile_suite(folder / "evil.yaml")
    draw = random.Random(0)
    ok, differs, failed = suite.rows[:3]
    boxes = BoxesUsed(sha256=EVIL, person_ap=0.5, published=True)
    for row, values in ((ok, {"AP": 0.75, "AR": 0.8}), (differs, {"AP": 0.6, "AR": 0.9, EVIL: 0.5})):
        record = synthetic.record(
            suite, row, "val", "complete", None, draw, metrics=values, warnings=[LONG], boxes=boxes
        )
        run = synthetic.write_run(folder / "results", suite, row, record, device=EVIL)
        write_json(
            run.environment,
            synthetic.environment(
                EVIL, packages={EVIL: EVIL, "torch": EVIL}, python=EVIL, gpu={"name": EVIL}, mmcv_ops=EVIL
            ),
        )
        diagnosis = synthetic.diagnosis(17, draw, oks=True, image=f"{EVIL}.jpg")
        names = [keypoint.model_copy(update={"name": EVIL}) for keypoint in diagnosis.keypoints]
        diagnosis.model_copy(update={"keypoints": tuple(names)}).save(run.diagnosis)
    record = synthetic.record(suite, failed, "val", "failed", LONG, draw)
    synthetic.write_run(folder / "results", suite, failed, record)
    return write_site(folder / "site", [suite], read_results([folder / "results"]), {}, folder)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Return headless Chromium; skip if it is not installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = os.environ.get("HARNESS_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not executable:
        pytest.skip("no browser: HARNESS_CHROMIUM names none, and there is no chromium or google-chrome")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()
