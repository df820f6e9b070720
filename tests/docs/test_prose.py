"""The linter of the prose finds what it is for, and leaves code, tables and links out."""

from pathlib import Path

import pytest
from prose import LONGEST, Sentence, findings, grade, main, sentences_of_module, sentences_of_page, syllables

PAGE = """# A heading that is not a sentence

A line with a [link of words](therein.md) and `code`, e.g. this. Another
sentence.

| a table | therein |
|---|---|

- An item: one.
- Another item

```bash
therein
```

    therein
"""


def test_sentences_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert [one.text for one in sentences_of_page(page, tmp_path)] == [
        "A line with a link of words and `code`, e.g. this.",
        "Another sentence.",
        "An item: one.",
        "Another item",
    ]


def test_sentences_of_a_module(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    docstring = "Return it.\n\n    Args:\n        a: One.\n            Two.\n        b: Three.\n\n    >>> therein\n    "
    module.write_text(
        f'''"""First. Second."""\nX = 1\n"""Of X."""\ndef f(a):\n    """{docstring}"""\n    return "therein"\n'''
    )
    found = [one.text for one in sentences_of_module(module, tmp_path)]
    assert sorted(found) == ["First.", "Of X.", "One.", "Return it.", "Second.", "Three.", "Two."]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is of use therein.", "write an ordinary preposition"),
        ("Only for who has the lock.", "a noun"),
        (" ".join(["word"] * LONGEST), None),
        (" ".join(["word"] * (LONGEST + 1)), f"a sentence of {LONGEST + 1} words"),
        ("The run has the lock.", None),
    ],
)
def test_findings(text: str, found: str | None) -> None:
    (*wrong,) = findings(Sentence("page.md", text))
    assert len(wrong) == (found is not None)
    assert found is None or found in wrong[0]


def test_the_grade_rises_with_long_words_and_sentences() -> None:
    plain, heavy = (
        Sentence("", "The cat sat on the mat."),
        Sentence("", "Considerable simplification facilitates comprehension."),
    )
    assert [syllables(word) for word in ("cat", "people", "cake", "interval")] == [1, 2, 1, 3]
    assert grade([plain]) < 3 < 12 < grade([heavy])


def test_pages_have_no_finding_and_the_exit_code_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "a.py").write_text('"""Fine."""\n')
    (tmp_path / "docs" / "a.md").write_text("All is well.\n")
    assert main([str(tmp_path)]) == 0
    (tmp_path / "docs" / "a.md").write_text("Look therein.\n")
    assert main([str(tmp_path)]) == 1
    assert "docs/a.md: 'therein': write an ordinary preposition" in capsys.readouterr().out
