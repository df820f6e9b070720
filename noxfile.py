"""The project's tasks. `nox -s reproduce -- coco` runs the main job, `nox -s tests` the tests; `nox -l` lists all."""

import argparse
import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
OLDEST = PYTHONS[0]
# The Python version that runs nox, or OLDEST if that version is older.
PYTHON = None if sys.version_info >= tuple(map(int, OLDEST.split("."))) else OLDEST
# Requirements of MMPose's packages that must not be installed: chumpy no longer builds, opencv-python-headless provides
# the modules of opencv-python, and xtcocotools has no wheels for Python 3.12.
OVERRIDES = ("chumpy; python_version < '3'", "opencv-python; python_version < '3'", "xtcocotools; python_version < '3'")
# The published numbers were computed with NumPy 1 and OpenCV 4; NumPy 1 is available for Python 3.11 only.
CONSTRAINTS = ("numpy<2; python_version < '3.12'", "numpy>=2; python_version >= '3.12'", "opencv-python-headless<5")
ORACLE = "xtcocotools==1.14.3"
GROUPS = ("--extra", "ray", "--group", "upstream", "--group", "tests", "--group", "lint")

SAMPLES = os.environ.get("HARNESS_SAMPLES", "../shared/data/samples")
SUBSET = os.environ.get("HARNESS_SUBSET", "../shared/data/coco-subset")
PARITY_FILES = ("--out", "results/parity.json", "--markdown", "results/parity.md")
BENCH_FILES = ("--out", "results/bench.json", "--markdown", "results/bench.md")
REGRESS_FILES = ("--junit", "reports/regress.xml", "--markdown", "reports/regress.md")


def install(session: nox.Session) -> None:
    """Install the locked packages and this project, from wheels only, so no compiler is needed.

    The lock is complete, so nothing is resolved. [tool.uv] in pyproject.toml lists the excluded packages with reasons.
    """
    # Bytecode is compiled here, not at the first import, so that the command line starts in half the time.
    compiled = {"UV_COMPILE_BYTECODE": "1"}
    session.install("--no-deps", "--only-binary", ":all:", "--requirement", "requirements.lock", env=compiled)
    session.install("--no-deps", "--editable", ".")


def install_oracle(session: nox.Session) -> None:
    """Install MMPose's own OKS evaluator: the Python files of xtcocotools; pycocotools has the same compiled part.

    xtcocotools has wheels for Python 3.11 and NumPy 1 only; `harness/openmmlab/xtcocotools_ext.py` makes them work with
    other versions.
    """
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    folder = str(session.run("python", "-c", purelib, silent=True)).strip()
    uv = session.venv_backend == "uv"
    platform = ("--python-platform", "x86_64-manylinux_2_17") if uv else ("--platform", "manylinux_2_17_x86_64")
    session.install(
        "--no-deps", "--only-binary", ":all:", "--python-version", "3.11", *platform, "--target", folder, ORACLE
    )


@nox.session(python=PYTHON)
def reproduce(session: nox.Session) -> None:
    """Run a suite and compare it with the published table: `nox -s reproduce -- coco --data DIR`."""
    install(session)
    session.run("harness", "run", *session.posargs)


@nox.session(python=PYTHON)
def report(session: nox.Session) -> None:
    """Write HTML pages of all rows with the records in results/ and runs/, to reports/site/index.html. With pictures:
    `nox -s report -- RESULTS... --data DIR`.
    """
    install(session)
    session.run("harness", "report", *session.posargs)


@nox.session(python=PYTHON)
def site(session: nox.Session) -> None:
    """Write the pages of all suites with generated records of every run, and measure seconds and megabytes."""
    install(session)
    session.run("pytest", "-s", "tests/report/measure_site.py", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(python=PYTHON)
def parity(session: nox.Session) -> None:
    """Compare the shared engine with MMPose's test loop on the samples: all runs, written to results/, or
    `nox -s parity -- [SUITE...] --rows GLOB` for some of them. Takes some hours on two cores.
    """
    install(session)
    install_oracle(session)
    # The samples of the further data sets have their own folder, whose coco/ contains the files of the other one.
    data = Path(session.create_tmp()) / "samples"
    data.mkdir(exist_ok=True)
    for folder in (Path(SAMPLES), Path(SAMPLES).parent / "zoo-samples"):
        for one in folder.iterdir() if folder.is_dir() else ():
            link = data / one.name
            link.unlink(missing_ok=True)
            link.symlink_to(one.resolve())
    run = ("harness", "parity", "--data", str(data), "--weights", "random:0")
    session.run(*run, "--tflop", "0.5", *(session.posargs or PARITY_FILES))
    if not session.posargs:  # MMPose's evaluator of PoseTrack18 needs all people
        session.run(*run, "--tflop", "13", "posetrack18", "posetrack18-pages", *PARITY_FILES)


@nox.session(python=PYTHON)
def bench(session: nox.Session) -> None:
    """Measure the speed of the shared engine and of MMPose's own code on a part of COCO, written to results/. For some
    parts: `nox -s bench -- --data DIR --only decode,score`. Takes two hours on two cores.
    """
    install(session)
    install_oracle(session)
    session.run("harness", "bench", "--data", SUBSET, "--precision", "fp32-fast", *(session.posargs or BENCH_FILES))


@nox.session(python=PYTHON)
def regress(session: nox.Session) -> None:
    """Run the demo suite and compare it with results/; for a part of it: `nox -s regress -- --rows GLOB`. Arguments
    after `--` go to `harness run`; --rows and --data also to `harness compare`. Writes reports/regress.md.
    """
    install(session)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data", default="data")
    parser.add_argument("--rows")
    both, for_run = parser.parse_known_args(session.posargs)
    chosen = ("--data", both.data, *(("--rows", both.rows) if both.rows else ()))
    shutil.rmtree("runs/regress", ignore_errors=True)  # `harness run` would reuse results of earlier code
    # Exit codes 1 and 3 are accepted: the comparison judges differing numbers and failed rows.
    session.run("harness", "run", "demo", "--out", "runs/regress", *chosen, *for_run, success_codes=[0, 1, 3])
    session.run("harness", "compare", "runs/regress", "results", "demo", *chosen, *REGRESS_FILES)


@nox.session(python=PYTHON)
def coverage(session: nox.Session) -> None:
    """Measure by simulation how often 95 % intervals contain the true value and how often the paired test finds a
    difference.
    """
    install(session)
    session.run("pytest", "-s", "tests/metrics/simulate_coverage.py", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(python=PYTHON)
def faults(session: nox.Session) -> None:
    """Plant faults in the demo suite; `harness compare` must fail, and `harness explain` must name each cause.

    Some faults are planted in whole rows and found with published values. Many are planted on a few images and found
    with a baseline; results/faults.md lists them. HARNESS_FAULTS selects some of these, separated by semicolons. Takes
    about two hours on two cores, the second part ten minutes of it.
    """
    install(session)
    files = ("tests/demo/every_fault.py", "tests/demo/fault_table.py")
    session.run("pytest", "-s", *(session.posargs or files))


@nox.session(python=PYTHON)
def trained(session: nox.Session) -> None:
    """Measure trained weights on a part of COCO, for results/trained: parity, noise floors, effects of each precision.

    HARNESS_WEIGHTS names a folder with a suite (`*.yaml`) and its weights, HARNESS_SUBSET the data. Takes half an
    hour on two cores.
    """
    if "HARNESS_WEIGHTS" not in os.environ:
        session.skip("HARNESS_WEIGHTS is not set; set it to a folder with a suite and its weights")
    install(session)
    install_oracle(session)
    (suite,) = Path(os.environ["HARNESS_WEIGHTS"]).glob("*.yaml")
    Path("results/trained").mkdir(exist_ok=True)
    files = ("--out", "results/trained/parity.json", "--markdown", "results/trained/parity.md")
    session.run("harness", "parity", suite, "--data", SUBSET, *files)
    session.run("harness", "run", suite, "--data", SUBSET, "--noise", "--out", "runs/trained", success_codes=[0, 1])
    script = ("python", "tests/predict/measure_precisions.py", suite, "--data", SUBSET, "--noise", "runs/trained")
    session.run(*script, "--markdown", "results/trained/precisions.md")


@nox.session(python=PYTHON)
def cluster(session: nox.Session) -> None:
    """Run four rows on a part of COCO on a Ray cluster of three nodes, and kill a node and a worker. Also run one round
    of the bench's measurement of workers.
    """
    install(session)
    files = ("tests/run/three_nodes.py", "tests/speed/shards_round.py")
    session.run("pytest", "-s", *(session.posargs or files), env={"OMP_NUM_THREADS": "1"})


@nox.session(python=PYTHON)
def soak(session: nox.Session) -> None:
    """Kill runs of the demo suite 200 times and fuzz each file reader with 10,000 cases. Takes hours;
    HARNESS_SOAK_KILLS and HARNESS_FUZZ_CASES change the numbers.
    """
    install(session)
    often = {"HARNESS_FUZZ_CASES": "10000", "HARNESS_SOAK_KILLS": "200", "OMP_NUM_THREADS": "1"} | os.environ
    session.run("pytest", "-s", *(session.posargs or ("tests/run/random_kills.py", "tests/fuzz")), env=often)


@nox.session(python=PYTHON)
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after `--` go to pytest."""
    install(session)
    install_oracle(session)
    # One process per core, at most four because each loads torch; so each computes with one thread. Tests of a module
    # stay together, so that its fixtures are made once.
    parallel = ("--numprocesses", "logical", "--maxprocesses", "4", "--dist", "worksteal")
    session.run("pytest", *parallel, *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(python=PYTHON)
def long_tests(session: nox.Session) -> None:
    """Run the tests that CI leaves out because of their time, such as seeded weights of heavy networks."""
    install(session)
    install_oracle(session)
    session.run("pytest", "-m", "long", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(python=list(PYTHONS), reuse_venv=False)
def pythons(session: nox.Session) -> None:
    """Run the demo and the tests on each installed Python version; the demo's metrics must equal those of results/."""
    install(session)
    install_oracle(session)
    _demo_is_the_same(session)
    tests(session)


@nox.session(python=PYTHON, reuse_venv=False)
def release(session: nox.Session) -> None:
    """Build the sdist and the wheel, check them, install the wheel as in the README, and use it elsewhere."""
    out = Path(tempfile.mkdtemp())
    root = Path.cwd()
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", str(out))
    session.run("twine", "check", "--strict", *map(str, sorted(out.iterdir())))
    (built,) = out.glob("*.whl")
    with session.chdir(out):
        session.install(str(built))
        line = "from harness.openmmlab import INSTALL; print(INSTALL)"
        session.install(*str(session.run("python", "-c", line, silent=True)).split()[2:])
        session.run("python", "-c", _INSTALLED.format(root=root))
        session.run("harness", "--version")
        session.run("harness", "list")
        session.run("harness", "check")
        session.run("harness", "run", "demo")
        session.run("harness", "score", "runs")
        session.run("harness", "report", "runs")
        session.run("harness", "compare", "runs", str(root / "results"), "demo", "--data", "data")
        # The examples begin without results.
        Path("examples").mkdir()
        Path("examples", "data").symlink_to(out / "data")
        with session.chdir("examples"):
            session.run("python", str(root / "tests" / "public_names.py"), "examples")
        session.install("mypy", "pandas-stubs")
        # A copy outside the checkout, so that mypy does not read the checkout's configuration or package.
        shutil.copy(root / "tests" / "docs" / "user_script.py", "user_script.py")
        session.run("mypy", "--strict", "user_script.py")


_INSTALLED = """
import importlib.metadata, pathlib, harness
place = pathlib.Path(harness.__file__)
assert place.parent != pathlib.Path(r'{root}', 'harness'), place
assert (place.parent / 'py.typed').is_file()
assert importlib.metadata.version('pose-harness') == harness.__version__
"""


@nox.session(python=PYTHON)
def opencv5(session: nox.Session) -> None:
    """Run the demo and the tests of crops with OpenCV 5, which is not in the lock; the metrics must be the same."""
    install(session)
    session.install("--no-deps", "--only-binary", ":all:", "opencv-python-headless>=5,<6")
    _demo_is_the_same(session)
    session.run("pytest", "tests/predict/test_warp.py", "tests/predict/test_crop_stream.py", *session.posargs)


def _demo_is_the_same(session: nox.Session) -> None:
    out = f"runs/{session.name}"
    shutil.rmtree(out, ignore_errors=True)
    session.run("harness", "run", "demo", "--out", out)
    session.run("python", "tests/demo/same_metrics.py", out, "results")


@nox.session(python=OLDEST)  # the lock has NumPy 1 for the oldest Python, and NumPy 2 declares other types
def lint(session: nox.Session) -> None:
    """Check style with ruff, types with mypy, spelling with codespell and sentences with tests/docs/prose.py."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run("python", "tests/docs/prose.py")
    session.run("mypy")


@nox.session(python=False)
def lock(session: nox.Session) -> None:
    """Update requirements.lock from pyproject.toml, with `-- --upgrade` to the newest versions. Needs uv."""
    decided = []
    for option, lines in (("--overrides", OVERRIDES), ("--constraints", CONSTRAINTS)):
        path = Path(session.create_tmp(), f"{option.strip('-')}.txt")
        path.write_text("\n".join(lines))
        decided += [option, str(path)]
    session.run(
        "uv",
        "pip",
        "compile",
        "pyproject.toml",
        *GROUPS,
        *decided,
        "--universal",
        "--python-version",
        OLDEST,
        "--only-binary",
        ":all:",
        "--no-annotate",
        "--no-header",
        "--no-emit-index-url",
        "--output-file",
        "requirements.lock",
        *session.posargs,
        external=True,
    )
    _shorten_markers(Path("requirements.lock"))
    for python, platform in itertools.product(PYTHONS, PLATFORMS):  # each locked package has a wheel for each
        session.run(
            "uv",
            "pip",
            "install",
            "--dry-run",
            "--quiet",
            "--target",
            session.create_tmp(),
            "--no-deps",
            "--only-binary",
            ":all:",
            "--python-version",
            python,
            "--python-platform",
            platform,
            "--requirement",
            "requirements.lock",
            external=True,
            env={"MACOSX_DEPLOYMENT_TARGET": "14.0"},
        )
        session.log(f"Python {python}, {platform}: every package has a wheel")


def _shorten_markers(path: Path) -> None:
    """Remove the markers that list the platforms: with them, another platform would get an empty environment, not an
    error.
    """
    lines = path.read_text().splitlines()
    newest, _, platforms = lines[0].partition(" ; ")[2].partition(" and ")
    short = []
    for line in lines:
        package, _, marker = line.partition(" ; ")
        marker = marker.removesuffix(platforms).replace(newest, "").replace(" and  and ", " and ")
        marker = marker.removeprefix(" and ").removesuffix(" and ")
        short.append(f"{package} ; {marker}\n" if marker else f"{package}\n")
    path.write_text("".join(short))
