"""The public names: documented, tested by their examples, and imported only when they are used."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from public_names import PAGE, api_page, run_examples

import harness
from harness import api

NAMES = [name for name in harness.__all__ if name != "__version__"]


def test_the_package_has_the_names_of_the_module() -> None:
    assert api.__all__ == NAMES
    assert all(getattr(harness, name) is getattr(api, name) for name in NAMES)
    assert set(NAMES) <= set(dir(harness))


def test_the_page_has_each_name_with_its_signature_and_text() -> None:
    again = "run `python tests/public_names.py` to write docs/api.md again"
    assert PAGE.read_text(encoding="utf-8") == api_page(), again


def test_the_page_shows_a_changed_signature_and_a_missing_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def rescore_run(folder: str) -> None:
        """Score."""

    monkeypatch.setattr(api, "rescore_run", rescore_run)
    assert "rescore_run(folder: str) -> None" in api_page()
    monkeypatch.setattr(api, "__all__", [name for name in api.__all__ if name != "rescore_run"])
    assert "rescore_run(" not in api_page()


def test_each_function_has_an_example_and_describes_its_arguments() -> None:
    for name in NAMES:
        public = getattr(api, name)
        text = inspect.getdoc(public) or ""
        if inspect.isfunction(public):
            assert ">>> " in text, name
            assert all(f"{argument}:" in text for argument in inspect.signature(public).parameters), name


def test_the_examples(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo.parent)  # the examples read `data`
    found = run_examples()
    assert found.failed == 0
    assert found.attempted > 2 * len(NAMES)


def test_an_import_of_the_package_imports_nothing_else() -> None:
    check = "import sys, harness; assert not {'pydantic', 'click', 'numpy', 'torch', 'harness.api'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
