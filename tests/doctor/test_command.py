"""`harness doctor` through its real entry point."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, get_args

import psutil
import pytest
import torch
from conftest import Harness

from harness.doctor import examine, machine
from harness.doctor.check import Check, Finding
from harness.doctor.examine import EXACT_FIRST, choose_workers, plan_checks
from harness.doctor.networks import distinct_networks
from harness.doctor.outcome import Examination, NotRun, Outcome
from harness.doctor.suites import suite_states
from harness.files import write_json
from harness.protocol import Precision
from harness.suites.load import load_suite

Patch = pytest.MonkeyPatch


def good() -> Finding:
    return Finding(figures={"px": 0.25})


def bad() -> Finding:
    return Finding(problems=["px is 3, the limit is 0.05"])


def lacking() -> Finding:
    raise NotRun("needs a GPU")


class Inline:
    """Replaces the pool of workers: checks run in this process."""

    def __init__(self, device: str, workers: int, threads: int) -> None: ...

    def outcomes(self, checks: Sequence[Check], deadline: float, clock: Any) -> Iterator[Outcome]:
        yield from (check.run() for check in checks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def three_checks(monkeypatch: Patch) -> None:
    checks = [Check("arithmetic", work.__name__, work) for work in (good, lacking, bad)]
    monkeypatch.setattr(examine, "Pool", Inline)
    monkeypatch.setattr(examine, "plan_checks", lambda *_: checks)
    monkeypatch.setattr(examine, "render_people", lambda _: None)


def test_the_page(harness: Harness) -> None:
    code, out, _ = harness("doctor")
    assert code == 0
    assert [line for line in out.splitlines() if line in ("packages", "devices", "storage")]
    (line,) = [line for line in out.splitlines() if line.split()[:1] == ["coco"]]
    assert line.split() == ["coco", "absent", "absent", "absent", "-", "absent", "41", "0", "0"]
    code, out, err = harness("doctor", "--json")
    document = json.loads(out)
    assert {fact["subject"] for fact in document["machine"]["packages"]} >= {"python", "torch", "mmpose", "xtcocotools"}
    assert [suite["name"] for suite in document["suites"]][:2] == ["300w", "300wlp"]
    assert "packages" in err


def test_checks_of_a_device(harness: Harness, three_checks: None, tmp_path: Path, monkeypatch: Patch) -> None:
    written: list[list[str]] = []

    def watched(examination: Examination, path: Path) -> None:
        write_json(path, examination.model_dump(mode="json"))
        written.append([check["status"] + check["reason"] for check in json.loads(path.read_text())["checks"]])

    monkeypatch.setattr(Examination, "save", watched)
    out = tmp_path / "new" / "doctor.json"
    code, printed, _ = harness("doctor", "--device", "cpu", "--minutes", 1, "--out", out, "--json")
    assert code == 3
    document = json.loads(printed)
    assert document == json.loads(out.read_text())
    assert [check["status"] for check in document["checks"]] == ["passed", "not run", "failed"]
    assert written == [
        ["passed", "not runnot begun", "not runnot begun"],
        ["passed", "not runneeds a GPU", "not runnot begun"],
        ["passed", "not runneeds a GPU", "failedpx is 3, the limit is 0.05"],
    ]
    code, printed, _ = harness("doctor", "--device", "cpu", "--only", "*/good,*/lacking")
    assert code == 0
    assert printed.splitlines()[-1].startswith("1 passed, 0 failed, 1 not run, in ")
    assert "passed   arithmetic good" in printed


def test_wrong_usage(harness: Harness) -> None:
    code, _, said = harness("doctor", "--out", "doctor.json")
    assert (code, "name the device to check with --device" in said) == (2, True)
    code, _, said = harness("doctor", "--device", "cuda:99")
    assert (code, "--device cuda:99 cannot be used" in said) == (2, True)


@pytest.mark.long
def test_the_plan_has_everything_and_each_name_once(rendered: Path) -> None:
    checks = plan_checks("cpu", rendered, Path("elsewhere"))
    names = [f"{check.group}/{check.name}" for check in checks]
    assert len(names) == len(set(names))
    groups = {check.group: sum(other.group == check.group for other in checks) for check in checks}
    assert groups["network"] == len(distinct_networks()) > 150
    assert groups["decoder"] >= 21
    assert groups["precision"] == 4 * (len(get_args(Precision)) - 1)
    exact = [check for check in checks if check.group == "exactness"]
    assert tuple(check.name for check in exact[: len(EXACT_FIRST)]) == EXACT_FIRST
    # Runs use the user's data if it exists; each missing data set is reported once.
    trained, others = exact[:3], exact[3:]
    assert all(check.arguments[-1] == Path("elsewhere") for check in trained)
    assert all(check.arguments[-1] == rendered for check in others)
    counts = {suite: sum(check.name.startswith(f"{suite}/") for check in exact) for suite in ("coco", "mpii", "aic")}
    assert counts == {"coco": 41, "mpii": 18, "aic": 1}


def test_rendered_people_stand_in_for_data_that_is_not_there() -> None:
    nowhere, rendered = Path("nowhere"), Path("rendered")
    runs = [
        ("aic", "hrnet-w32-256x192", "val"),
        ("aic", "resnet-101-256x192", "val"),
        ("coco", "hrnet-w32-256x192", "val"),
    ]
    assert [*examine._exact_runs(runs, nowhere, rendered)] == [(runs[0], nowhere), (runs[2], rendered)]


def test_what_suites_can_run(rendered: Path, tmp_path: Path) -> None:
    row = load_suite("coco").rows[3]
    (tmp_path / row.runs["val"].checkpoint.file_name).write_bytes(b"weights")
    states = {state.name: state for state in suite_states(rendered, tmp_path)}
    coco = states["coco"]
    assert (coco.annotations, coco.images, coco.boxes, coco.other, coco.checkpoints) == (
        "there",
        "there",
        "there",
        "-",
        "1 of 41",
    )
    assert (coco.rows, coco.ready, coco.seeded) == (41, 1, 41)
    assert (states["mpii"].ready, states["mpii"].seeded, states["mpii"].other) == (0, 18, "there")
    assert (states["humanart"].images, states["humanart"].seeded) == ("absent", 0)
    assert (states["jhmdb"].annotations, states["jhmdb"].images) == ("absent", "absent")


@pytest.mark.parametrize(
    ("versions", "package", "remark"),
    [
        (
            {"opencv-python-headless": "5.0.0.90"},
            "opencv-python-headless",
            "MMPose's own crops change, this project's crops do not",
        ),
        ({"numpy": "2.5.1"}, "numpy", "OKS-NMS"),
        ({"torch": "2.10.0+cu128"}, "torch", "tested with 2.11 to 2.14"),
        ({"mmcv": "2.1.0"}, "mmcv", "pip uninstall mmcv"),
        ({"mmcv-lite": "2.2.0"}, "mmcv-lite", "do not accept 2.2"),
        ({"mmpose": "1.2.0"}, "mmpose", "1.3.2"),
        ({"opencv-python": "4.11.0"}, "opencv-python", "pip uninstall opencv-python"),
    ],
)
def test_traps(versions: dict[str, str], package: str, remark: str, monkeypatch: Patch) -> None:
    version = machine._version
    monkeypatch.setattr(machine, "_version", lambda name: versions.get(name) or version(name))
    facts = {fact.subject: fact for fact in machine.package_facts()}
    assert remark in facts[package].remark
    assert not facts[package].fatal


def test_without_mmpose(harness: Harness, monkeypatch: Patch) -> None:
    version = machine._version
    monkeypatch.setattr(machine, "_version", lambda name: None if name == "mmpose" else version(name))
    code, out, _ = harness("doctor", "--device", "cpu")
    assert code == 3
    assert "every network needs it: pip install --no-deps mmcv-lite==" in out
    assert "checks on cpu" not in out


def test_a_gpu_is_described(monkeypatch: Patch) -> None:
    """With an imitation of torch.cuda."""
    card = SimpleNamespace(name="NVIDIA H100", major=9, minor=0)
    for name, value in {
        "is_available": True,
        "device_count": 1,
        "get_device_properties": card,
        "mem_get_info": (79.5e9, 80e9),
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    monkeypatch.setattr(machine, "_drivers", lambda: "580.1")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    facts = {fact.subject: fact for fact in machine.device_facts()}
    assert facts["cuda:0"].value == "NVIDIA H100, 79.5 of 80.0 GB free, compute capability 9.0, driver 580.1"
    assert facts["tf32 by default"].value == "convolutions on, matrix products off"
    assert "--precision fp32 turns it off" in facts["tf32 by default"].remark
    assert "benchmark off" in facts["cudnn"].value

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    facts = {fact.subject: fact for fact in machine.device_facts()}
    assert "torch cannot use it" in facts["gpu"].remark


def test_workers_fit_into_memory(monkeypatch: Patch) -> None:
    monkeypatch.setattr(examine, "processors", lambda: 64)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=500e9))
    assert choose_workers("cpu") == 16
    monkeypatch.setattr(examine, "free_memory", lambda _: 20e9)
    assert choose_workers("cuda") == 3
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1e9))
    assert choose_workers("cpu") == 1
