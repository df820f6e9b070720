"""Counts, bytes, durations and tables in readable form."""

from collections.abc import Collection, Sequence


def show_bytes(size: float) -> str:
    """Return bytes with one decimal, in units of 1000."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size:.0f} B"


def show_sizes(sizes: Collection[int | None]) -> str:
    """Return the sum of the known sizes of several files in bytes, and the number of files of unknown size."""
    known = [size for size in sizes if size is not None]
    unknown = len(sizes) - len(known)
    return " and ".join([show_bytes(sum(known))] * bool(known) + [f"{unknown} of unknown size"] * bool(unknown))


def show_duration(seconds: float) -> str:
    """Return a duration in its largest unit, with one decimal; seconds without."""
    for unit, scale in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * scale:
            return f"{seconds / scale:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose columns are as wide as their longest cell; the heads are its first row."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
