"""Documents are saved atomically, and an invalid file is rejected with its name."""

from pathlib import Path
from typing import ClassVar

import pytest

from harness.document import Document
from harness.errors import ObtainError
from harness.record import Record


class Note(Document):
    title: ClassVar[str] = "note"
    remedy: ClassVar[str] = "write it anew"
    text: str


class NewerNote(Note):
    schema_version: int = 2


def test_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "notes" / "note.json"
    Note(text="a").save(path)
    assert path.read_text() == '{\n  "schema_version": 1,\n  "text": "a"\n}\n'
    assert Note.load(path) == Note(text="a")
    with pytest.raises(ObtainError, match="note has schema version 1, not 2"):
        NewerNote.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the note is missing"),
        ("{", "the note cannot be read"),
        ("[" * 100_000, "the note cannot be read"),
        ("[1]", "note has schema version None, not 1"),
        ('{"schema_version": "1", "text": "a"}', "note has schema version '1', not 1"),
        ('{"schema_version": 1}', "the note is damaged.* text: Field required"),
        ('{"schema_version": 1, "text": "a", "more": 1}', "the note is damaged.* more: Extra inputs"),
    ],
)
def test_refused(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "note.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ObtainError, match=f"(?s){message}") as caught:
        Note.load(path)
    assert str(path) in str(caught.value)
    assert "write it anew" in str(caught.value)


def test_a_record_cannot_upset_a_terminal_or_a_sum(tmp_path: Path) -> None:
    record = Record(
        suite="demo", row="x", run="val", label="a\x1b[2Jb", status="failed", reason="\x07", verdict="failed"
    )
    assert (record.label, record.reason) == ("a\ufffd[2Jb", "\ufffd")
    path = tmp_path / "record.json"
    record.save(path)
    path.write_text(path.read_text().replace('"metrics": {}', '"metrics": {"AP": 1e300}'))
    with pytest.raises(ObtainError, match=r"the record is damaged: .*metrics\.AP: Input should be less than or equal"):
        Record.load(path)
