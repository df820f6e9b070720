"""The project's tasks. `nox -s reproduce -- coco` runs the main job, `nox -s tests` the tests; `nox -l` lists all."""

import nox

nox.needs_version = ">=2025.10"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]

PYTHON = "3.11"
# The lock is complete, so nothing is resolved here; see [tool.uv] in pyproject.toml for what it leaves out and why.
GROUPS = ("--group", "upstream", "--group", "tests", "--group", "lint")
LOCK = ("--no-deps", "--only-binary", ":all:", "--requirement", "requirements.lock")


def install(session: nox.Session) -> None:
    """Install the locked packages and this project. Wheels only: no compiler is needed."""
    session.install(*LOCK)
    session.install("--no-deps", "--editable", ".")


@nox.session(python=PYTHON)
def reproduce(session: nox.Session) -> None:
    """Run a suite and compare it with the published table, e.g. `nox -s reproduce -- coco --data DIR`."""
    install(session)
    session.run("harness", "run", *session.posargs)


@nox.session(python=PYTHON)
def tests(session: nox.Session) -> None:
    """Run the tests; arguments behind `--` go to pytest."""
    install(session)
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHON)
def lint(session: nox.Session) -> None:
    """Check style with ruff and types with mypy."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python=False)
def lock(session: nox.Session) -> None:
    """Renew requirements.lock from pyproject.toml; needs uv."""
    session.run(
        "uv", "pip", "compile", "pyproject.toml", *GROUPS, "--universal", "--python-version", PYTHON,
        "--only-binary", ":all:", "--no-annotate", "--no-header", "--no-emit-index-url", "--upgrade",
        "--output-file", "requirements.lock", *session.posargs, external=True,
    )  # fmt: skip
