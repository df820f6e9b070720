"""The workers: a check that raises an error, dies or hangs does not stop the others, and the time is bounded."""

import os
import time

from harness.doctor.check import Check, Finding
from harness.doctor.outcome import NotRun, Outcome
from harness.doctor.pool import Pool


def good(figure: float) -> Finding:
    return Finding(figures={"figure": figure})


def far_off() -> Finding:
    finding = Finding()
    finding.at_most("px", 0.5, 0.05)
    finding.at_most("score", float("nan"), 1e-3)
    return finding


def raises() -> Finding:
    raise ValueError("it fails here\nand says more")


def lacks() -> Finding:
    raise NotRun("needs a GPU")


def dies() -> Finding:
    os.kill(os.getpid(), 9)
    raise AssertionError


def hangs() -> Finding:
    time.sleep(1000)
    raise AssertionError


def test_outcomes_of_a_check() -> None:
    passed = Check("group", "good", good, (1.5,)).run()
    assert (passed.status, passed.reason, passed.figures) == ("passed", "", {"figure": 1.5})
    failed = Check("group", "far", far_off).run()
    assert (failed.status, failed.figures) == ("failed", {"px": 0.5, "score": "nan"})
    assert failed.reason == "px is 0.5, the limit is 0.05; score is nan, the limit is 0.001"
    error = Check("group", "raises", raises).run()
    assert (error.status, error.reason) == ("failed", "ValueError: it fails here")
    assert "test_pool.py" in str(error.traceback)
    lacking = Check("group", "lacks", lacks).run()
    assert (lacking.status, lacking.reason, lacking.seconds) == ("not run", "needs a GPU", None)


def test_one_that_dies_or_hangs_leaves_the_others() -> None:
    checks = [Check("group", work.__name__, work) for work in (dies, hangs, raises)]
    checks += [Check("group", f"good {number}", good, (number,)) for number in range(3)]
    checks += [Check("group", "more hanging", hangs), Check("group", "late", good, (0,))]
    now = [0.0]
    outcomes: dict[str, Outcome] = {}
    with Pool("cpu", workers=2, threads=1) as pool:
        for outcome in pool.outcomes(checks, deadline=100, clock=lambda: now[0]):
            outcomes[outcome.name] = outcome
            if len(outcomes) == 5:  # all except those that hang, and those that wait for them
                now[0] = 101.0
        processes = list(pool._processes.values())
    assert not any(process.is_alive() for process in processes)
    assert list(outcomes)[-1] == "late"
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "dies": "failed",
        "raises": "failed",
        "good 0": "passed",
        "good 1": "passed",
        "good 2": "passed",
        "hangs": "not run",
        "more hanging": "not run",
        "late": "not run",
    }
    assert outcomes["dies"].reason.startswith("its process died: SIGKILL")
    assert outcomes["hangs"].reason == "out of time: stopped after 101 s"
    assert outcomes["late"].reason == "out of time"
