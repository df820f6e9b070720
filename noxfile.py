"""The project's tasks. `nox -s reproduce -- coco` runs the main job, `nox -s tests` the tests; `nox -l` lists all."""

import argparse
import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]

PYTHON = "3.11"
GROUPS = ("--extra", "ray", "--group", "upstream", "--group", "tests", "--group", "lint")

SAMPLES = os.environ.get("HARNESS_SAMPLES", "../shared/data/samples")
PARITY = ("--data", SAMPLES, "--weights", "random:0", "--tflop", "3")
SUBSET = os.environ.get("HARNESS_SUBSET", "../shared/data/coco-subset")
PARITY_FILES = ("--out", "results/parity.json", "--markdown", "results/parity.md")
BENCH_FILES = ("--out", "results/bench.json", "--markdown", "results/bench.md")
REGRESS_FILES = ("--junit", "reports/regress.xml", "--markdown", "reports/regress.md")


def install(session: nox.Session) -> None:
    """Install the locked packages and this project; wheels only, no compiler is needed.

    The lock is complete, so nothing is resolved: [tool.uv] in pyproject.toml says what is left out of it and why.
    """
    # Compiled once here, not at the first import: the command line then starts in half the time.
    compiled = {"UV_COMPILE_BYTECODE": "1"}
    session.install("--no-deps", "--only-binary", ":all:", "--requirement", "requirements.lock", env=compiled)
    session.install("--no-deps", "--editable", ".")


@nox.session(python=PYTHON)
def reproduce(session: nox.Session) -> None:
    """Run a suite and compare it with the published table: `nox -s reproduce -- coco --data DIR`."""
    install(session)
    session.run("harness", "run", *session.posargs)


@nox.session(python=PYTHON)
def report(session: nox.Session) -> None:
    """Write pages of all rows, with the records in results/ and runs/: `nox -s report`, or `nox -s report -- RESULTS...
    --data DIR`, with pictures. Open reports/site/index.html.
    """
    install(session)
    session.run("harness", "report", *session.posargs)


@nox.session(python=PYTHON)
def parity(session: nox.Session) -> None:
    """Compare the shared engine with MMPose's test loop on the samples: all runs, for results/, or
    `nox -s parity -- [SUITE...] --rows GLOB` to look at some. Takes over an hour on two cores.
    """
    install(session)
    session.run("harness", "parity", *PARITY, *(session.posargs or PARITY_FILES))


@nox.session(python=PYTHON)
def bench(session: nox.Session) -> None:
    """Measure the shared engine beside MMPose's own code on a part of COCO, for results/: `nox -s bench`, or
    `nox -s bench -- --data DIR --only decode,score` to measure some. Takes two hours on two cores.
    """
    install(session)
    session.run("harness", "bench", "--data", SUBSET, "--precision", "fp32-fast", *(session.posargs or BENCH_FILES))


@nox.session(python=PYTHON)
def regress(session: nox.Session) -> None:
    """Run the demo suite and compare it with results/: `nox -s regress`, or `nox -s regress -- --rows GLOB` for a part.
    Arguments behind `--` go to `harness run`, --rows and --data to `harness compare` as well. See reports/regress.md.
    """
    install(session)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data", default="data")
    parser.add_argument("--rows")
    both, for_run = parser.parse_known_args(session.posargs)
    chosen = ("--data", both.data, *(("--rows", both.rows) if both.rows else ()))
    shutil.rmtree("runs/regress", ignore_errors=True)  # `harness run` would keep what earlier code has computed
    # A number that is off and a row that fails are for the comparison to judge.
    session.run("harness", "run", "demo", "--out", "runs/regress", *chosen, *for_run, success_codes=[0, 1, 3])
    session.run("harness", "compare", "runs/regress", "results", "demo", *chosen, *REGRESS_FILES)


@nox.session(python=PYTHON)
def coverage(session: nox.Session) -> None:
    """Simulate whether 95 % intervals hold the true value 95 times in 100, and what the paired test finds."""
    install(session)
    session.run("pytest", "-s", "tests/score/simulate_coverage.py", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(python=PYTHON)
def faults(session: nox.Session) -> None:
    """Plant faults in the demo suite: `harness compare` turns red, and `harness explain` names each cause first."""
    install(session)
    session.run("pytest", "-s", "tests/demo/every_fault.py", *session.posargs)


@nox.session(python=PYTHON)
def cluster(session: nox.Session) -> None:
    """Run four rows on a part of COCO on a Ray cluster of three nodes, and kill a node and a worker; a round of what
    the bench measures of workers.
    """
    install(session)
    files = ("tests/execute/three_nodes.py", "tests/bench/shards_round.py")
    session.run("pytest", "-s", *(session.posargs or files), env={"OMP_NUM_THREADS": "1"})


@nox.session(python=PYTHON)
def soak(session: nox.Session) -> None:
    """Kill the demo suite 200 times and fuzz every reader with 10,000 cases: hours. HARNESS_SOAK_KILLS and
    HARNESS_FUZZ_CASES say how often.
    """
    install(session)
    often = {"HARNESS_FUZZ_CASES": "10000", "HARNESS_SOAK_KILLS": "200", "OMP_NUM_THREADS": "1"} | os.environ
    session.run("pytest", "-s", *(session.posargs or ("tests/execute/random_kills.py", "tests/fuzz")), env=often)


@nox.session(python=PYTHON)
def tests(session: nox.Session) -> None:
    """Run the tests; arguments behind `--` go to pytest."""
    install(session)
    # A process a core, and not many, since each holds torch; so each computes with one thread.
    parallel = ("--numprocesses", "logical", "--maxprocesses", "4")
    session.run("pytest", *parallel, *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(python=PYTHON)
def lint(session: nox.Session) -> None:
    """Check style with ruff and types with mypy."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python=False)
def lock(session: nox.Session) -> None:
    """Bring requirements.lock in line with pyproject.toml; `-- --upgrade` takes the newest of everything. Needs uv."""
    session.run(
        "uv", "pip", "compile", "pyproject.toml", *GROUPS, "--universal", "--python-version", PYTHON,
        "--only-binary", ":all:", "--no-annotate", "--no-header", "--no-emit-index-url",
        "--output-file", "requirements.lock", *session.posargs, external=True,
    )  # fmt: skip
    # uv marks every line with all platforms: another one would get an empty environment in place of an error.
    path = Path("requirements.lock")
    lines = path.read_text().splitlines()
    everywhere = lines[0].partition(" ; ")[2]
    path.write_text("".join(f"{line.removesuffix(f' ; {everywhere}')}\n" for line in lines))
