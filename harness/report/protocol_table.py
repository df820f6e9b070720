"""The protocol as lines of a table, marked where a row differs from most rows of its suite."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.protocol import Protocol
from harness.report.standings import Standing

OF_A_RUN = ("schema_version", "limit", "compute")
"""Fields that a config does not state."""


@dataclass(frozen=True)
class Line:
    """One field of a run's protocol."""

    field: str
    """As in protocol.json, with dots between the levels."""
    value: str
    usual: str | None
    """The value of most runs of the suite; None if unknown."""

    @property
    def unusual(self) -> bool:
        """Whether most runs have another value."""
        return self.usual is not None and self.value != self.usual


def fields(protocol: Protocol, recorded: bool) -> dict[str, str]:
    """Return a protocol's fields as text.

    Args:
        protocol: The protocol of a run.
        recorded: Whether it comes from a record. A protocol from a config has no hashes and no compute settings.
    """
    lines = dict(_flat("", protocol.model_dump(mode="json")))
    lines.pop("schema_version")
    if recorded:
        return lines
    return {
        name: value
        for name, value in lines.items()
        if name.split(".")[0] not in OF_A_RUN and not name.endswith(".sha256")
    }


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{name}.{key}" if name else key, item)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, item in enumerate(value):
            yield from _flat(f"{name}.{number}", item)
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case list():
            return " ".join(_text(item) for item in value)
        case _:
            return str(value)


def counted_fields(standings: Sequence[Standing]) -> dict[str, Counter[str]]:
    """Return for each field the number of runs of a suite with each of its values."""
    values: dict[str, Counter[str]] = {}
    for standing in standings:
        for run in standing.row.runs:
            protocol, recorded = standing.protocol(run)
            for field, value in fields(protocol, recorded).items() if protocol else ():
                values.setdefault(field, Counter())[value] += 1
    return values


def usual_fields(standings: Sequence[Standing]) -> dict[str, str]:
    """Return the most frequent value of each field over all runs of a suite; of equally frequent ones the first."""
    return {field: counter.most_common(1)[0][0] for field, counter in counted_fields(standings).items()}


def ledger(standing: Standing, run: str, usual: Mapping[str, str]) -> list[Line]:
    """Return the lines of one run's protocol; empty if neither a record nor a config gives it."""
    protocol, recorded = standing.protocol(run)
    if protocol is None:
        return []
    return [Line(field, value, usual.get(field)) for field, value in fields(protocol, recorded).items()]
