"""Documents: groups of fields that are stored in a JSON file, with the version of its schema."""

from pathlib import Path
from typing import ClassVar, Self

from harness.errors import MALFORMED, ObtainError, brief, first_problems
from harness.fields import Fields
from harness.files import read_json, write_json


class Document(Fields):
    """A group of fields that is saved to a file and loaded from it."""

    title: ClassVar[str] = "document"
    """Name of the document in error messages."""
    remedy: ClassVar[str] = "make it with `harness run`"
    """What error messages advise if the document is missing or unusable."""
    schema_version: int = 1
    """Subclasses with another schema override the default."""

    def save(self, path: Path) -> None:
        """Write the file, atomically."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            ObtainError: It is missing, damaged or has another schema version.
        """
        data = read_json(path, f"the {cls.title}", cls.remedy)
        found = data.get("schema_version") if isinstance(data, dict) else None
        wanted = cls.model_fields["schema_version"].default
        if found != wanted:
            raise ObtainError(f"{cls.title} has schema version {brief(found)}, not {wanted}: {path}", cls.remedy)
        try:
            return cls.model_validate(data)
        except MALFORMED as error:
            raise ObtainError(f"the {cls.title} is damaged: {path}: {first_problems(error)}", cls.remedy) from error
