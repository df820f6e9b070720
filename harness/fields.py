"""The base class of groups of fields that are stored as JSON."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Fields(BaseModel):
    """A group of fields: immutable, without unknown keys, and without numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


LARGEST = 1e15
"""Upper bound of the absolute values of coordinates, areas, scores and metrics in files; keeps products finite."""

Value = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
"""A value of a metric."""


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


Shown = Annotated[str, AfterValidator(_printable)]
"""A text for terminals: replaces control characters, which could move the cursor or hide other text."""
