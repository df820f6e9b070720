"""Compares suites with MMPose's configs and metafiles, and with local files of weights.

MMPose publishes a value in up to three places: the table of its overview, the model's page and a metafile
(`metafile.yml` beside the config). Its packages contain the configs and the metafiles, with which suites are compared.
A difference that the suite states is known; any other is new; a stated difference that does not exist any more is gone.
"""

import functools
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml
from mmengine.config import Config

from harness.errors import MALFORMED, SpecError
from harness.files import sha256_file
from harness.protocol import PoseSelection
from harness.suites.configs import (
    annotation_file,
    complete,
    config_path,
    configs_folder,
    first_part,
    normal,
    read_run_config,
    row_boxes,
)
from harness.suites.data_paths import with_data_root
from harness.suites.decoding import evaluated_keypoints, heatmap_head
from harness.suites.draft_data import UNKNOWN_FOLDER
from harness.suites.ledger import protocol_without_files
from harness.suites.overrides import changes_nothing, evaluated_datasets, override
from harness.suites.schema import Claim, Column, Row, Run, Suite
from harness.suites.sigmas import SIGMAS_ADVICE, USUAL_SIGMAS, suspicious_sigmas

_DOWNLOADS = "https://download.openmmlab.com/"

# Metafiles with several results for one config and checkpoint list them in this order, without any other mark.
_ORDER_BY_BOXES = {"PoseTrack18": ["ground-truth", "detector"]}
_ORDER_BY_METRIC = {"JHMDB": ["PCK(person", "PCK(torso"]}


@dataclass(frozen=True)
class AuditFinding:
    """One difference between a suite and MMPose's files or local weights."""

    row: str
    """Full id of the row."""
    status: Literal["known", "new", "gone", "warning"]
    """Known: the suite states the difference. New: it does not. Gone: it states a difference that does not exist.
    Warning: a suspicious setting without a difference."""
    subject: str
    """The metric or the part of the config that differs, after the run's name if a row has several runs."""
    stated: str
    """The suite's value."""
    found: str
    """MMPose's value, or that of the local file."""
    reason: str | None = None
    """The reason of the difference, if the suite states it; or the next step."""
    in_table: bool = True
    """False for metrics that the published table does not print."""


@dataclass(frozen=True)
class Audit:
    """The findings of one suite."""

    suite: Suite
    findings: list[AuditFinding]

    def rows(self, status: str) -> set[str]:
        """Return the full ids of the rows with a finding of this status about the published table."""
        return {finding.row for finding in self.findings if finding.status == status and finding.in_table}

    @property
    def agreeing(self) -> int:
        """Number of rows without a finding about the published table."""
        return len(self.suite.rows) - len({finding.row for finding in self.findings if finding.in_table})

    @property
    def problems(self) -> list[AuditFinding]:
        """The findings that the suite does not state correctly: new and gone ones."""
        return [finding for finding in self.findings if finding.status in ("new", "gone")]


def audit_suite(suite: Suite) -> Audit:
    """Compare every row of a suite with MMPose's configs and metafiles, and with its local files of weights.

    Rows that cannot run are compared with metafiles alone.

    Raises:
        ObtainError: MMPose is not installed.
    """
    findings: list[AuditFinding] = []
    for row in suite.rows:
        for name, run in row.runs.items() if row.cannot_run is None else ():
            prefix = f"{name} " if len(row.runs) > 1 else ""
            findings += _config_findings(suite, row, run, prefix)
            findings += _file_findings(suite, row, run, prefix)
        findings += _claim_findings(suite, row)
    return Audit(suite, findings)


# Configs


def _config_findings(suite: Suite, row: Row, run: Run, prefix: str) -> Iterator[AuditFinding]:
    try:
        path = config_path(suite, run)
        config = read_run_config(suite, row, run)
    except SpecError as error:
        yield _unusable(suite, row, run, prefix, error)
        return
    try:
        for change in row.overrides:
            if changes_nothing(config, change):
                changed = f"{prefix}override of {change.field}"
                yield AuditFinding(suite.row_id(row), "new", changed, str(change.value), "the same value in the config")
        override(config, row.overrides)
    except SpecError as error:
        yield _unusable(suite, row, run, prefix, error)
        return
    try:
        facts = list(_config_facts(suite, row, run, config, own=_is_own(path)))
    except (*MALFORMED, SpecError):  # an unsupported config, which reading the protocol reports
        facts = []
    for subject, stated, found in facts:
        if stated != found:
            yield AuditFinding(suite.row_id(row), "new", prefix + subject, str(stated or "none"), str(found or "none"))
    yield from _protocol_findings(suite, row, run, prefix, config, path)


def _protocol_findings(
    suite: Suite, row: Row, run: Run, prefix: str, config: Config, path: Path
) -> Iterator[AuditFinding]:
    """Yield unsupported and suspicious settings of a config, which has the row's overrides and is completed here."""
    named, evaluated = normal(config.test_dataloader.dataset.get("bbox_file")), row_boxes(suite, row)
    complete(config, suite, row, path)
    try:
        scoring = protocol_without_files(config).scoring
    except SpecError as error:
        yield _unusable(suite, row, run, prefix, error)
        return
    warn = partial(AuditFinding, suite.row_id(row), "warning", in_table=False)
    if _is_own(path) and named not in (None, evaluated):
        reason = "the row's boxes are evaluated, not those of the config"
        yield warn(f"{prefix}boxes", str(evaluated or "ground-truth"), str(named), reason)
    sigmas = scoring.sigmas if isinstance(scoring, PoseSelection) else ()
    if odd := suspicious_sigmas(sigmas):
        yield warn(
            f"{prefix}sigmas",
            f"{USUAL_SIGMAS[0]:g} to {USUAL_SIGMAS[1]:g}",
            f"{max(sigmas):g}",
            f"{odd}; {SIGMAS_ADVICE}",
        )


def _unusable(suite: Suite, row: Row, run: Run, prefix: str, error: SpecError) -> AuditFinding:
    problem = str(error).replace("\n  ", "; ")
    return AuditFinding(suite.row_id(row), "new", f"{prefix}config", run.config, problem)


def _is_own(path: Path) -> bool:
    """Return whether a config is a custom one, not one of MMPose's."""
    return not path.is_relative_to(configs_folder())


def _config_facts(suite: Suite, row: Row, run: Run, config: Config, *, own: bool) -> Iterator[tuple[str, Any, Any]]:
    """Yield the properties of a config with the row's and the config's value: subject, stated, found.

    A custom config need not name boxes, since a run uses the row's. The boxes of MMPose's configs are part of the
    published protocol.
    """
    head = heatmap_head(config)[0] if "head" in config.get("model", {}) else {}
    evaluated = suite.dataset_of(row)
    yield "codec's input size", row.size, tuple(head.get("decoder", {}).get("input_size", ()))
    yield "number of keypoints", evaluated.num_keypoints, evaluated_keypoints(config)
    annotations = with_data_root(suite.annotations(row, run))
    datasets = evaluated_datasets(config)
    validated = [(annotation_file(dataset), first_part(dataset) is dataset) for dataset in datasets.values()]
    if len(set(validated)) > 1:  # validation during training is on another part, which the test does not read
        del datasets["val_dataloader"]
    for loader, dataset in datasets.items():
        crop: dict[str, Any] = next(
            (step for step in dataset.get("pipeline", []) if step.get("type") == "TopdownAffine"), {}
        )
        yield f"{loader}'s input size", row.size, tuple(crop.get("input_size", ()))
        if not own:
            yield f"{loader}'s boxes", row_boxes(suite, row), normal(dataset.get("bbox_file"))
        yield f"{loader}'s annotations", annotations, annotation_file(dataset)
        one = first_part(dataset)
        images = posixpath.join(one.get("data_root") or "", one.get("data_prefix", {}).get("img", ""))
        yield f"{loader}'s images", with_data_root(evaluated.images), normal(images)
        if "headbox_file" in dataset:
            stated = with_data_root(evaluated.extra.get("headboxes"))
            yield f"{loader}'s headboxes", stated, normal(dataset.headbox_file)
    for name in (loader.replace("dataloader", "evaluator") for loader in datasets):
        evaluators = config.get(name) or []
        for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
            if "ann_file" in evaluator:
                yield f"{name}'s annotations", annotations, normal(evaluator.ann_file)


# Files


def _file_findings(suite: Suite, row: Row, run: Run, prefix: str) -> Iterator[AuditFinding]:
    """Yield a run's local file of weights that is missing or another one, and placeholders that a draft has."""
    problem = partial(AuditFinding, suite.row_id(row), "new")
    data = suite.dataset_of(row)
    paths = {"annotations": suite.annotations(row, run), "dataset.boxes": data.boxes, "dataset.images": data.images}
    for field, path in paths.items():
        if path and path.split("/")[0] == UNKNOWN_FOLDER:
            advice = f"complete {field} in the suite"
            yield problem(f"{prefix}{field}", path, "this is the placeholder of a draft", advice)
    checkpoint, url, sha256 = run.checkpoint, f"{prefix}checkpoint.url", f"{prefix}checkpoint.sha256"
    stated, local = checkpoint.sha256, checkpoint.local
    if local and not local.is_file():
        advice = "correct the path, which is relative to the suite's file"
        yield problem(url, checkpoint.url, f"there is no file {local}", advice)
        return
    try:
        found = sha256_file(local) if local else None
    except OSError as error:
        yield problem(url, checkpoint.url, f"{local} cannot be read: {error.strerror}", "correct its permissions")
        return
    if found and stated and not found.startswith(stated) and not checkpoint.hash_is_stale:
        advice = f'if it is the right file, state sha256: "{found[:16]}"; otherwise correct checkpoint.url'
        yield problem(sha256, stated, f"{found[:16]} of the file {local}", advice)
    elif stated and not stated.strip("0") and not found:
        advice = f"state the sha256 of {checkpoint.url}, or null if none is published"
        yield problem(sha256, stated, "this is the placeholder of a draft", advice)


# Claims


def _claim_findings(suite: Suite, row: Row) -> Iterator[AuditFinding]:
    """Compare the claims of a row, and of its runs if there are several, with the metafiles."""
    if not all(_is_theirs(suite, run) for run in row.runs.values()):
        return  # a custom model, about which MMPose has published nothing
    scopes: list[tuple[str | None, list[Run]]] = [(None, list(row.runs.values()))]
    if len(row.runs) > 1:
        scopes += [(name, [run]) for name, run in row.runs.items()]
    for scope, runs in scopes:
        claims = [claim for claim in row.claims if claim.run == scope]
        for metric in dict.fromkeys(claim.metric for claim in claims):
            values = [_metafile_value(suite, row, run, scope, metric) for run in runs]
            found = None if None in values else sum(value for value in values if value is not None) / len(values)
            of_metric = [claim for claim in claims if claim.metric == metric]
            yield from _compare(suite, row, scope, metric, of_metric, found)


def _is_theirs(suite: Suite, run: Run) -> bool:
    return run.checkpoint.url.startswith(_DOWNLOADS) and not suite.has_config_of(run)


def _compare(
    suite: Suite, row: Row, scope: str | None, metric: str, claims: list[Claim], found: float | None
) -> Iterator[AuditFinding]:
    spec = suite.metrics[metric]
    published = [claim for claim in claims if claim.source in ("table", "page")]
    recorded = next((claim for claim in claims if claim.source == "metafile"), None)
    of_row = scope is None or row.runs_are == "subsets"
    unconfirmed = (row.unconfirmed.get(Column(metric=metric, run=scope).name) or row.no_metafile) if of_row else None

    def same(claim: Claim) -> bool:
        if found is None or spec.metafile_decimals is None:
            return found is not None and round(claim.value, spec.decimals) == round(found, spec.decimals)
        half: float = 0.5 * 10**-spec.metafile_decimals  # MMPose rounds halves either way
        return abs(claim.value - found) < half + 1e-9

    def text(value: float) -> str:
        return f"{value:.{spec.decimals}f}"

    def finding(
        status: Literal["known", "new", "gone"], reason: str | None = None, stated: str | None = None
    ) -> AuditFinding:
        if stated is None:
            values = {text(claim.value): claim.source for claim in published}
            stated = " or ".join(
                f"{value} ({source})" if len(values) > 1 else value for value, source in values.items()
            )
        subject = f"{scope} {metric}" if scope else metric
        shown = "no value" if found is None else text(found)
        in_table = metric in row.printed
        return AuditFinding(suite.row_id(row), status, subject, stated, shown, reason, in_table)

    differing = [claim for claim in published if not same(claim)]
    if unconfirmed:
        yield finding("known", unconfirmed) if found is None else finding("gone", stated=f"no value: {unconfirmed}")
    elif recorded and not published and same(recorded):
        return  # only the metafile states it
    elif recorded and (found is None or not differing):
        yield finding("gone", recorded.refuted, stated=text(recorded.value))
    elif recorded and same(recorded):
        yield finding("known", recorded.refuted)
    elif not differing or (found is None and metric not in row.printed):
        return
    elif len(differing) < len(published) and all(claim.refuted for claim in differing):
        yield finding("known", differing[0].refuted)
    elif _is_rounding(row, scope, differing, found, spec.tolerance):
        yield finding("known", f"mean of the runs; {spec.reason}")
    else:
        yield finding("new")


def _is_rounding(
    row: Row, scope: str | None, differing: list[Claim], found: float | None, tolerance: float | None
) -> bool:
    """Return whether a mean over several runs is within the suite's tolerance of the published mean."""
    if scope is not None or not row.has_mean or found is None or tolerance is None:
        return False
    return all(abs(claim.value - found) <= tolerance for claim in differing)


# Metafiles


def _metafile_value(suite: Suite, row: Row, run: Run, scope: str | None, metric: str) -> float | None:
    """Return the value for a config and its checkpoint in the metafiles beside the config; None if they have none.

    `scope` names the run if the value is that of a single run.

    The entry must be found by config and checkpoint: some configs have entries for two checkpoints
    (td-hm_ViTPose-huge), some checkpoints have entries for two configs (res101, 065d3625). Configs are compared by file
    name, since the metafile of JHMDB's CPM names a folder that no longer exists.
    """
    results = [
        result
        for entry in _entries((configs_folder() / run.config).parent)
        if Path(entry["Config"]).name == (run.metafile_config or Path(run.config).name)
        and entry.get("Weights") == (run.metafile_weights or run.checkpoint.url)
        for result in entry["Results"]
    ]
    dataset = run.metafile_dataset or suite.dataset_of(row).name
    wanted = f"{dataset}(GT)" if row.boxes == "ground-truth" else dataset
    if not any(result["Dataset"] == wanted for result in results):
        wanted = dataset  # only some data sets mark ground-truth boxes
    results = [result for result in results if result["Dataset"] == wanted]
    if len(results) > 1:
        if (order := [metric.startswith(norm) for norm in _ORDER_BY_METRIC.get(dataset, [])]) and any(order):
            results = [results[order.index(True)]]
        elif row.boxes in _ORDER_BY_BOXES.get(dataset, []):
            results = [results[_ORDER_BY_BOXES[dataset].index(row.boxes)]]
        else:
            return None
    spec = suite.metrics[metric]
    key = spec.metafile_key or spec.label
    if scope is not None and row.runs_are == "subsets":
        key = f"{key} {scope}"
    key = run.metafile_keys.get(metric, key)
    value = results[0]["Metrics"].get(key) if results else None
    return None if value is None else float(value) * spec.metafile_scale


@functools.cache
def _entries(folder: Path) -> list[dict[str, Any]]:
    """Return the models that the metafiles of a folder describe."""
    entries: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.yml")):
        entries += yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)["Models"]
    return entries
