"""The base of every group of fields that is stored as JSON or read from it."""

from pydantic import BaseModel, ConfigDict


class Fields(BaseModel):
    """A group of fields; immutable, unknown keys and numbers that are not finite refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
