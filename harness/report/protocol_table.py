"""The protocol ledger as lines, and which of them set a row apart from the others of its suite."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.protocol import Protocol
from harness.report.standings import Standing

OF_A_RUN = ("schema_version", "limit", "compute")
"""What a config does not say."""


@dataclass(frozen=True)
class Line:
    """One field of a run's protocol."""

    field: str
    """As in protocol.json, with dots between the levels."""
    value: str
    usual: str | None
    """What most rows of the suite have; None where nothing is known of them."""

    @property
    def unusual(self) -> bool:
        """Whether most rows have something else."""
        return self.usual is not None and self.value != self.usual


def fields(protocol: Protocol, recorded: bool) -> dict[str, str]:
    """Return a protocol's fields, printed.

    Args:
        protocol: Of a run.
        recorded: Whether it is that of a record; else it is a config's, which knows no content and no computing.
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


def usual_fields(standings: Sequence[Standing]) -> dict[str, str]:
    """Return the most frequent value of each field over all runs of a suite; of equally frequent ones the first."""
    values: dict[str, Counter[str]] = {}
    for standing in standings:
        for run in standing.row.runs:
            protocol, recorded = standing.protocol(run)
            for field, value in fields(protocol, recorded).items() if protocol else ():
                values.setdefault(field, Counter())[value] += 1
    return {field: counter.most_common(1)[0][0] for field, counter in values.items()}


def ledger(standing: Standing, run: str, usual: Mapping[str, str]) -> list[Line]:
    """Return the lines of one run's protocol; none where neither a record nor a config tells it."""
    protocol, recorded = standing.protocol(run)
    if protocol is None:
        return []
    return [Line(field, value, usual.get(field)) for field, value in fields(protocol, recorded).items()]
