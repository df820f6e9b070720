"""Measures seconds and bytes of the site of all suites with generated records of every run: `nox -s site`."""

import time
from collections import Counter
from pathlib import Path

import pytest

from harness.report.results import read_results
from harness.report.site import ROW, write_site
from harness.suites.load import load_suite, suite_names
from report import many, synthetic

SECONDS = 30


@pytest.mark.parametrize("state", ["without records", "with records", "with records and pictures"])
def test_whole_site(state: str, tmp_path: Path) -> None:
    with many.measured():
        suites = [load_suite(name) for name in suite_names()]
        if state != "without records":
            synthetic.write_results(tmp_path / "results", suites, diagnosed=True)
        data = tmp_path / "data" if "pictures" in state else None
        if data:
            synthetic.write_images(data, suites)
        wall, cpu = time.perf_counter(), time.process_time()
        results = read_results([folder for folder in (tmp_path / "results",) if folder.is_dir()])
        site = write_site(tmp_path / "site", suites, results, {}, data)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    kinds: Counter[str] = Counter()
    for path in site.path.parent.rglob("*.*"):
        place = path.relative_to(site.path.parent).parts
        kinds[f"{('first', 'suites', 'rows')[len(place) - 1]} {path.suffix}"] += path.stat().st_size
    parts = ", ".join(f"{kind} {size / 1e6:.2f}" for kind, size in kinds.most_common() if size > 9_999)
    print(
        f"\n{state}: {len(site.standings)} rows, {wall:.1f} s ({cpu:.1f} s of CPU), {site.bytes / 1e6:.2f} MB: {parts}"
    )
    assert site.bytes < ROW * len(site.standings)
    assert cpu < SECONDS
