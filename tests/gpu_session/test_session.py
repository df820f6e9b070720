"""The session on a GPU: its steps end in time, their results are kept, and their commands exist."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import psutil
import pytest

from harness.cli import VERBS, cli
from harness.files import write_json
from harness.gpu_session import facts
from harness.gpu_session.__main__ import main
from harness.gpu_session.process import run_within, shortened
from harness.gpu_session.session import PRECISIONS, Session, SessionStep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="groups of processes are those of POSIX")

CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def arguments(out: Path, **changes: Any) -> argparse.Namespace:
    given = {
        "out": out,
        "minutes": 1.0,
        "device": "cpu",
        "data": None,
        "subset": None,
        "weights": None,
        "wheels": None,
        "only": "",
    }
    return argparse.Namespace(**given | changes)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_process_and_its_children_end(tmp_path: Path) -> None:
    start = time.monotonic()
    ended = run_within(python(CHILD), 2, {}, tmp_path)
    assert time.monotonic() - start < 20
    assert ended.code is None
    assert 2 <= ended.seconds < 20
    child = int(ended.output)

    def lives() -> bool:
        return psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE

    while lives():  # a killed process exists for a moment
        assert time.monotonic() - start < 30
        time.sleep(0.05)


def test_a_process_that_ends_itself(tmp_path: Path) -> None:
    ended = run_within(python("import os, sys; print(os.environ['A']); sys.exit(4)"), 60, {"A": "b"}, tmp_path)
    assert (ended.code, ended.output) == (4, "b\n")


def test_shortened() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("a" * 50 + "b" * 50, 10) == "aaaaa\n... 90 characters left out ...\nbbbbb"


def test_every_step_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreadable(_: str) -> facts.Facts:
        raise KeyError("checks")

    def steps(_: Session) -> Iterator[SessionStep]:
        yield SessionStep("good", 1, lambda _: python("print('all well')"))
        yield SessionStep("absent", 1, lambda _: [], lacks="no --data")
        yield SessionStep("wrong", 1, lambda _: python("raise ValueError('a cause')"))
        yield SessionStep("usage", 1, lambda _: python("import sys; print('no such verb'); sys.exit(2)"))
        yield SessionStep("slow", 0.3, lambda _: python("import time; print('begun', flush=True); time.sleep(60)"))
        yield SessionStep("unread", 8, lambda _: python("print('x' * 20000)"), unreadable)

    monkeypatch.setattr(Session, "_steps", steps)
    monkeypatch.setattr("harness.gpu_session.session._LEAST_S", 0.5)
    session = Session(arguments(tmp_path / "out"))
    session.run()
    session.close()
    assert not session.complete
    assert not session.scratch.exists()
    found = json.loads((session.out / "summary.json").read_text())["steps"]
    assert {name: step["status"] for name, step in found.items()} == {
        "good": "done",
        "absent": "no --data",
        "wrong": "done",
        "usage": "failed",
        "slow": "out of time",
        "unread": "done",
    }
    assert found["wrong"]["exit_code"] == 1
    assert found["wrong"]["lines"][-1] == "ValueError: a cause"
    assert found["slow"]["lines"][-1] == "begun"
    assert found["unread"]["lines"][0] == "the outcome cannot be read: KeyError: 'checks'"
    text = session.summary()
    assert "usage: failed, exit code 2" in text
    assert "    no such verb" in text
    assert len(text) < 10_000
    assert sorted(path.name for path in session.out.iterdir()) == ["log.txt", "summary.json"]
    assert "===== slow: out of time" in (session.out / "log.txt").read_text()
    assert "] good: done" in capsys.readouterr().out


def test_time_that_a_step_leaves_goes_to_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def command(seconds: float) -> list[str]:
        given.append(seconds)
        return python("")

    monkeypatch.setattr(Session, "_steps", lambda _: iter([SessionStep(name, 1, command) for name in "ab"]))
    session = Session(arguments(tmp_path))
    session.run()
    session.close()
    assert 20 < given[0] <= 26  # half of a minute minus the reserve for the end
    assert given[0] + 5 < given[1] <= 52


def test_no_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "out"), "--minutes", "0.1", "--device", "cpu"]) == 1
    assert "demo: no time left" in capsys.readouterr().out


def test_commands_exist(tmp_path: Path) -> None:
    session = Session(
        arguments(tmp_path / "out", data=tmp_path, subset=tmp_path, weights=tmp_path, wheels=tmp_path, device="cuda")
    )
    (tmp_path / "a.whl").touch()
    (tmp_path / "tinypose.yaml").touch()
    steps = list(session._steps())
    session.close()
    names = [step.name for step in steps]
    assert names[:5] == ["wheels", "machine", "doctor's page", "demo", "doctor"]
    assert names[5:] == ["exactness", "bench", *(f"trained {precision}" for precision in PRECISIONS)]
    assert all(step.lacks is None for step in steps)
    for step in steps:
        command = step.command(100)
        if command[1:3] == ["-m", "harness"] and command[3] in VERBS:
            verb = cli.get_command(click.Context(cli), command[3])
            assert verb is not None
            verb.make_context(command[3], command[4:])  # raises an error if an option does not exist


def test_what_is_not_given(tmp_path: Path) -> None:
    session = Session(arguments(tmp_path / "out"))
    lacks = {step.name: step.lacks for step in session._steps()}
    session.close()
    assert lacks["bench"] == "no --data"
    assert lacks["trained fp32"] == "no --weights or no --subset"
    assert lacks["demo"] is lacks["doctor"] is lacks["exactness"] is None


def record(folder: Path, name: str, verdict: str, ap: float | None) -> None:
    write_json(folder / name / "record.json", {"verdict": verdict, "reason": "why", "metrics": {"AP": ap, "AR": 0.5}})


def test_facts_of_the_demo(tmp_path: Path) -> None:
    for folder, moved in (("new", 1e-7), ("results", 0.0)):
        record(tmp_path / folder, "demo/a/val", "reproduced", 0.25)
        record(tmp_path / folder, "demo/b/val", "reproduced" if not moved else "differs", 0.5 + moved)
        record(tmp_path / folder, "demo/c/val", "reproduced", None)
    found = facts.demo_facts(tmp_path / "new", tmp_path / "results")
    assert (found["reproduced"], found["equal"], found["of"]) == (2, 2, 3)
    assert found["lines"][1].endswith("largest difference 1e-07")
    assert found["lines"][2] == "b/val: differs, why"


def test_facts_of_trained_networks(tmp_path: Path) -> None:
    for precision, moved in (("fp32", 0.0), ("bf16", -0.002)):
        record(tmp_path / precision, "tiny/a/val", "reproduced", 0.6 + moved)
        record(tmp_path / precision, "tiny/b/val", "reproduced", 0.7)
    folders = {name: tmp_path / name for name in ("fp32", "bf16", "tf32")}
    found = facts.trained_facts(folders, "tiny")
    assert found["moved"]["bf16"] == pytest.approx({"a/val": -0.002, "b/val": 0})
    assert found["lines"][1] == "bf16: AP moves by at most 0.00200 (a/val); 2 rows"
    assert "2 of 2 rows reproduced" in found["lines"][0]


def test_facts_of_files_that_are_missing_or_broken(tmp_path: Path) -> None:
    broken = tmp_path / "half.json"
    broken.write_text('{"checks": [')
    for path in (broken, tmp_path / "none.json"):
        assert facts.doctor_facts(path)["lines"] == []
        assert facts.bench_facts(path)["targets"] == []
    assert facts.trained_facts({"fp32": tmp_path}, "tiny")["moved"] == {}


def test_facts_of_reports(tmp_path: Path) -> None:
    checks = [
        {"group": "network", "name": "a", "status": "passed", "figures": {"keypoint_px": 0.02, "ties": 3}},
        {"group": "network", "name": "c", "status": "passed", "figures": {"keypoint_px": 0.01}},
        {"group": "run", "name": "b", "status": "failed", "reason": "a\nreason"},
    ]
    write_json(tmp_path / "doctor.json", {"checks": checks})
    assert facts.doctor_facts(tmp_path / "doctor.json")["lines"] == [
        "2 passed, 1 failed",
        "failed: run/b: a reason",
        "largest network keypoint_px: 0.02",
    ]
