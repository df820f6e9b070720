"""The steps of a session, their shares of its time, and their results."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.gpu_session import facts
from harness.gpu_session.facts import Facts
from harness.gpu_session.process import run_within, shortened

ROOT = Path(__file__).parents[2]
"""The project's checkout, or site-packages."""
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
_SUMMARY = 9_500
"""Maximum number of characters printed at the end."""
_END_S = 8.0
"""Seconds reserved for the end of the session: to kill a step, and to print the summary."""
_OWN_END_S = 20.0
"""Extra seconds for a step with its own time limit: for imports before, and for work under way at its end."""
_LEAST_S = 5.0
"""Smallest number of seconds for which a step is started."""
_LAST_LINES = 6
_ON_CPU = ("--rows", "*128x96-msra*", "--limit", "8")
"""Options that make runs of trained networks small enough for a rehearsal on a CPU."""

PIP = ("-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--target")
VERSIONS = """
import json, torch
from harness.speed.gpu.machine import describe_measured_machine
print(json.dumps(describe_measured_machine(torch.device("{device}"))))
"""


@dataclass(frozen=True)
class SessionStep:
    """One process and its results."""

    name: str
    share: float
    """Share of the remaining time, relative to the shares of the steps still to come."""
    command: Callable[[float], list[str]]
    """Returns the command for a number of seconds."""
    facts: Callable[[str], Facts] = lambda output: {"lines": output.strip().splitlines()[-_LAST_LINES:]}
    """Returns the facts from the process's files or from its output."""
    lacks: str | None = None
    """Why it cannot run; None if it can."""


@dataclass
class Session:
    """Runs the steps one after the other."""

    arguments: argparse.Namespace
    results: dict[str, Any] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.out: Path = self.arguments.out.absolute()
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "log.txt").write_text("")
        self._seconds: float = 60 * self.arguments.minutes - _END_S
        self._scratch = tempfile.TemporaryDirectory(prefix="gpu-session-", ignore_cleanup_errors=True)
        self.scratch = Path(self._scratch.name)
        (self.scratch / "tmp").mkdir()
        paths = [str(ROOT), str(self.scratch / "site"), os.environ.get("PYTHONPATH", "")]
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",
            "HARNESS_CACHE": str(self.scratch / "cache"),
            "TMPDIR": str(self.scratch / "tmp"),  # a killed process leaves its temporary files
        }

    @property
    def left(self) -> float:
        """Seconds left for steps."""
        return self._seconds - (time.monotonic() - self.begun)

    @property
    def complete(self) -> bool:
        """Whether every step is done."""
        return all(result["status"] == "done" for result in self.results.values())

    def run(self) -> None:
        """Run all steps, and write summary.json after each."""
        chosen = [name for name in self.arguments.only.split(",") if name]
        steps = [step for step in self._steps() if not chosen or step.name in chosen or step.name == "wheels"]
        for number, step in enumerate(steps):
            coming = [step, *(other for other in steps[number + 1 :] if other.lacks is None)]
            self._run(step, self.left * step.share / sum(other.share for other in coming))

    def close(self) -> None:
        """Remove the files that are not needed after the session."""
        self._scratch.cleanup()

    def _run(self, step: SessionStep, seconds: float) -> None:
        result: dict[str, Any] = {"status": step.lacks or "no time left", "seconds": 0.0, "lines": []}
        if step.lacks is None and seconds > _LEAST_S:
            ended = run_within(step.command(seconds), seconds, self.environment, self.scratch)
            status = "done" if ended.code in (0, 1, 3) else "out of time" if ended.code is None else "failed"
            result |= {"status": status, "exit_code": ended.code, "seconds": round(ended.seconds, 1)}
            with (self.out / "log.txt").open("a") as log:
                log.write(
                    f"===== {step.name}: {status}, {ended.code}, {ended.seconds:.1f} s\n{shortened(ended.output)}\n"
                )
            try:
                result |= step.facts(ended.output)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                result["lines"] = [f"the outcome cannot be read: {type(error).__name__}: {error}"]
            if ended.code != 0 or not result["lines"]:
                result["lines"] += ended.output.strip().splitlines()[-_LAST_LINES:]
        self.results[step.name] = result
        self._keep()
        print(f"[{time.monotonic() - self.begun:5.0f} s] {step.name}: {result['status']}", flush=True)

    def _keep(self) -> None:
        document = {
            "schema_version": 1,
            "minutes": self.arguments.minutes,
            "seconds": round(time.monotonic() - self.begun, 1),
            "device": self.arguments.device,
            "steps": self.results,
        }
        part = self.out / "summary.json.part"
        part.write_text(json.dumps(document, indent=1))
        part.replace(self.out / "summary.json")

    def summary(self) -> str:
        """Return the results of all steps, in fewer than 10,000 characters."""
        lines = []
        for name, result in self.results.items():
            code = f", exit code {result['exit_code']}" if result.get("exit_code") else ""
            lines.append(f"{name}: {result['status']}{code}, {result['seconds']:.0f} s")
            lines += [f"    {line[:220]}" for line in result["lines"]]
        lines.append(f"{time.monotonic() - self.begun:.0f} s in all; everything is in {self.out}")
        return shortened("\n".join(lines), _SUMMARY)

    def _steps(self) -> Iterator[SessionStep]:
        given, device = self.arguments, self.arguments.device
        data = given.data or given.subset
        no_data = None if data else "no --data"
        if given.wheels:
            wheels = sorted(str(path) for path in given.wheels.glob("*.whl"))
            site = str(self.scratch / "site")
            lacks = None if wheels else f"no wheels in {given.wheels}"
            yield SessionStep("wheels", 8, lambda _: [sys.executable, *PIP, site, *wheels], lacks=lacks)
        yield SessionStep("machine", 5, lambda _: [sys.executable, "-c", VERSIONS.format(device=device)], self._machine)
        yield SessionStep("doctor's page", 4, lambda _: self._harness("doctor", data=data), self._page)
        demo = {"device": device, "precision": "fp32", "out": self.scratch / "demo", "data": self.scratch / "demo-data"}
        yield SessionStep(
            "demo",
            10,
            lambda _: self._harness("run", "demo", **demo),
            lambda _: facts.demo_facts(self.scratch / "demo", ROOT / "results"),
        )
        for name, minutes, only in (("doctor", 24, None), ("exactness", 14, "exactness/*")):
            yield self._doctor(name, minutes, only, device, data)
        yield SessionStep(
            "bench",
            36,
            lambda seconds: self._harness(
                "bench",
                only="gpu",
                device=device,
                data=given.subset or data,
                minutes=self._own_minutes(seconds),
                out=self.out / "gpu.json",
                markdown=self.out / "gpu.md",
            ),
            lambda _: facts.bench_facts(self.out / "gpu.json"),
            no_data,
        )
        yield from self._trained()

    def _doctor(self, name: str, minutes: float, only: str | None, device: str, data: Path | None) -> SessionStep:
        out = self.out / f"{name}.json"

        def command(seconds: float) -> list[str]:
            return self._harness(
                "doctor", device=device, data=data, only=only, minutes=self._own_minutes(seconds), out=out
            )

        return SessionStep(name, minutes, command, lambda _: facts.doctor_facts(out))

    def _trained(self) -> Iterator[SessionStep]:
        """Yield a step for each precision; the facts of each step cover all precisions so far."""
        given = self.arguments
        lacks = None if given.weights and given.subset else "no --weights or no --subset"
        suite = given.weights and (given.weights / "tinypose.yaml" if given.weights.is_dir() else given.weights)
        folders: dict[str, Path] = {}

        def step(precision: str) -> SessionStep:
            small = _ON_CPU if given.device == "cpu" else ()
            folder = folders[precision] = self.scratch / f"trained-{precision}"
            options = {"device": given.device, "precision": precision, "data": given.subset, "out": folder}
            return SessionStep(
                f"trained {precision}",
                3.5,
                lambda _: self._harness("run", suite, "--offline", *small, **options),
                lambda _: facts.trained_facts({name: folders[name] for name in ("fp32", precision)}, suite.stem),
                lacks,
            )

        yield from [step(precision) for precision in PRECISIONS]

    def _harness(self, *words: object, **options: object) -> list[str]:
        """Return a command of the harness; options that are None are left out."""
        given = [str(part) for name, value in options.items() if value is not None for part in (f"--{name}", value)]
        return [sys.executable, "-m", "harness", *map(str, words), *given]

    def _own_minutes(self, seconds: float) -> str:
        return f"{max(seconds - _OWN_END_S, _LEAST_S) / 60:.2f}"

    def _machine(self, output: str) -> Facts:
        line = next((line for line in output.splitlines() if line.startswith("{")), "")
        found = json.loads(line) if line else {}
        gpu = found.get("gpu") or {}
        what = {"python": found.get("python"), **found.get("packages", {})}
        lines = [
            f"GPU {gpu.get('name')}, {gpu.get('memory')} bytes, driver {gpu.get('driver')}, compute capability "
            f"{found.get('compute_capability')}, CUDA {found.get('cuda')}, cuDNN {found.get('cudnn')}",
            f"CPU {found.get('cpu')}, {found.get('cores')} cores",
            ", ".join(f"{name} {version}" for name, version in what.items()),
        ]
        return {"machine": found, "lines": lines if found else []}

    def _page(self, output: str) -> Facts:
        """Keep the full text in the log, and return its remarks for the terminal."""
        lines = output.splitlines()
        return {"lines": [f"{line} {below.strip()}" for line, below in pairwise(lines) if line.startswith("!")]}
