"""Explains a gap: scores a run's predictions in other ways and, if asked to, makes others with the same network."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from harness.assets.dataset import data_file
from harness.codecs.interface import codec_of
from harness.datasets.lookup import dataset_class
from harness.datasets.people import check_images
from harness.errors import DifferenceError, ObtainError
from harness.files import content_key
from harness.judge.alternatives import Alternative, Metrics, misreadings, scoring_alternatives
from harness.judge.explanation import Explanation, Trial, TriedSetting, make_trial, rank
from harness.metrics.match import evaluate
from harness.plugins import plugins
from harness.predict.forward import SharedForward
from harness.predict.shared import Estimator, predict_together
from harness.predict.sources.mmpose import Mmpose
from harness.predict.upstream import predict_upstream
from harness.predict.upstream_numpy import numpy_1_crops
from harness.predict.upstream_warp import our_warp
from harness.predictions import Predictions
from harness.protocol import Boxes, Decoder, Protocol
from harness.run.comparison import MEND
from harness.run.device import has_tf32, torch_defaults
from harness.run.plan import Plan, Settings, make_plan
from harness.run.progress import RunProgress
from harness.run_folder import RunFolder
from harness.suites.configs import configs_folder
from harness.suites.ledger import point_at
from harness.suites.metainfo import metainfo_of_file
from harness.suites.schema import Claim, Row, Suite

PADDING = 1.25
"""MMPose's default."""
PADDINGS = (1.0, 1.1, 1.2, 1.25, 1.3, 1.5)
PAIRED = 5
"""If nothing alone lands on the claims, so many of the closest trials are combined with every other way to score."""
NEEDS_NETWORK = [
    "boxes",
    "flip test",
    "shift of the mirrored heatmaps",
    "mirror pairs",
    "decoder",
    "padding",
    "affine",
    "colours",
    "convolutions in TF32",
]
NEEDS_TF32 = ["convolutions in TF32 (on a GPU that has it)"]


@dataclass(frozen=True)
class _Tried:
    """Predictions made with changed settings, and what they score."""

    changes: tuple[TriedSetting, ...]
    predictions: Predictions
    protocol: Protocol
    measured: Metrics


def explain(
    suite: Suite, row: Row, run: str, settings: Settings, claims: Sequence[Claim], rerun: bool, progress: RunProgress
) -> Explanation:
    """Look for settings that turn what a run measured into what is claimed.

    Args:
        suite: The row's suite.
        row: The row.
        run: The name of one of its runs, which has been made.
        settings: Those it was made with, as far as they are not in its protocol.
        claims: What is to be explained.
        rerun: Also compute with the network again.
        progress: Told of the work.

    Raises:
        ObtainError: The run has not been made, or a file that it needs is missing.
        DifferenceError: The run was made from other content than a rerun would be.
    """
    folder = RunFolder(settings.out / suite.name / row.id / run)
    record = folder.saved_record()
    if record and (broken := folder.broken_seal(record)):
        raise ObtainError(broken, MEND)
    protocol, predictions = Protocol.load(folder.protocol), Predictions.load(folder.predictions)
    name = suite.row_id(row)
    progress.stage(name, "score")
    as_run = _Tried((), predictions, protocol, evaluate(predictions, protocol, settings.data))
    tried = [as_run]
    if rerun:
        tried += _reruns(suite, row, run, settings, folder, progress)
        progress.stage(name, "score")

    def judged(changes: Sequence[TriedSetting], measured: Metrics) -> Trial:
        return make_trial(changes, claims, suite.metrics, measured)

    own = str(dataset_class(protocol.dataset).metainfo)
    alternatives = list(scoring_alternatives(protocol, own, _sigmas(protocol.num_keypoints)))
    trials = [judged(one.changes, one.measured) for one in tried[1:]]
    trials += [judged([change], measured) for change, measured in misreadings(claims, as_run.measured)]
    scored = [_scored(as_run, alternative, settings) for alternative in alternatives]
    trials += [judged(one.changes, one.measured) for one in scored]
    if not any(trial.lands for trial in (judged((), as_run.measured), *trials)):
        moved = [one for one in (*tried[1:], *scored) if one.measured != as_run.measured]
        closest = sorted(moved, key=lambda one: judged(one.changes, one.measured).distance)[:PAIRED]
        for first in closest:
            for alternative in alternatives:
                if alternative.change.setting != first.changes[0].setting:
                    both = _scored(first, alternative, settings)
                    trials.append(judged(both.changes, both.measured))
            trials += [
                judged([*first.changes, change], measured) for change, measured in misreadings(claims, first.measured)
            ]
    return Explanation(
        row=name,
        run=run,
        as_run=judged((), as_run.measured),
        trials=rank(trials),
        not_tried=NEEDS_NETWORK if not rerun else [] if has_tf32(settings.device) else NEEDS_TF32,
    )


def _scored(tried: _Tried, alternative: Alternative, settings: Settings) -> _Tried:
    predictions, protocol = alternative.apply(tried.predictions, tried.protocol)
    measured = evaluate(predictions, protocol, settings.data)
    return _Tried((*tried.changes, alternative.change), predictions, protocol, measured)


@cache
def _sigmas(num_keypoints: int) -> dict[str, tuple[float, ...]]:
    """Return the sigmas of MMPose's data sets with so many keypoints; of several with the same ones, the first."""
    found: dict[str, tuple[float, ...]] = {}
    for path in sorted((configs_folder() / "_base_" / "datasets").glob("*.py")):
        info = metainfo_of_file(str(path))
        if len(info.sigmas) == num_keypoints and info.sigmas not in found.values():
            found[path.stem] = info.sigmas
    return found


def _reruns(
    suite: Suite, row: Row, run: str, settings: Settings, folder: RunFolder, progress: RunProgress
) -> list[_Tried]:
    """Predict with one setting changed at a time."""
    plan = make_plan(suite, row, run, settings)
    if plan.predictions_key != Predictions.saved_key(folder.predictions):
        raise DifferenceError(
            f"{folder.path} was made from other content than a rerun would be: another batch size, device, limit, "
            "config, checkpoint or data",
            "give the options of that run, or make the run again with `harness run`",
        )
    changed = list(_changed_plans(suite, row, plan))
    groups: dict[str, list[tuple[TriedSetting, Plan]]] = {}
    for change, other in changed:
        groups.setdefault(other.people_key, []).append((change, other))
    tried = []
    for group in groups.values():
        people = group[0][1].people()
        check_images(people.images)
        networks: dict[str, SharedForward] = {}
        estimators = []
        for _, other in group:
            protocol = other.protocol
            # One for each geometry, since each computes the batch at hand once; the weights are the same.
            key = content_key(protocol.crop.model_dump(mode="json"), other.source.content(other.config))
            if key not in networks:
                progress.stage(suite.row_id(row), "network")
                networks[key] = SharedForward(other.model())
            estimators.append(Estimator(networks[key].of(protocol), protocol, progress.advance))
        progress.stage(suite.row_id(row), "predict", len(people) * len(group))
        for (change, other), predictions in zip(group, predict_together(estimators, people), strict=True):
            if isinstance(predictions, Exception):
                raise predictions
            measured = evaluate(predictions, other.protocol, settings.data)
            tried.append(_Tried((change,), predictions, other.protocol, measured))
    if isinstance(plan.source, Mmpose) and plan.protocol.compute.exact and has_tf32(settings.device):
        tried.append(_in_tf32(suite.row_id(row), plan, progress))
    return tried


def _in_tf32(name: str, plan: Plan, progress: RunProgress) -> _Tried:
    """Predict with MMPose's own loop as its scripts run it on such a GPU, where torch computes convolutions in TF32."""
    people, protocol = plan.people(), plan.protocol
    config = point_at(plan.config, str(plan.settings.data))
    progress.stage(name, "predict", len(people))
    with torch_defaults(), numpy_1_crops(config), our_warp(config), tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "log.txt")
        predictions, _ = predict_upstream(plan.network(), config, people, protocol, progress.advance, log)
    change = TriedSetting("convolutions", "single precision", "TF32", usual=True)
    return _Tried((change,), predictions, protocol, evaluate(predictions, protocol, plan.settings.data))


def _changed_plans(suite: Suite, row: Row, plan: Plan) -> Iterator[tuple[TriedSetting, Plan]]:
    protocol = plan.protocol

    def changed(setting: str, used: str, tried: str, usual: bool = False, **fields: Any) -> tuple[TriedSetting, Plan]:
        return TriedSetting(setting, used, tried, usual), replace(plan, protocol=protocol.model_copy(update=fields))

    box_file = suite.dataset_of(row).boxes
    if protocol.boxes.source == "detector":
        yield changed("boxes", "detector", "ground-truth", boxes=Boxes(source="ground-truth"))
    elif box_file and (plan.settings.data / box_file).is_file():
        boxes = Boxes(source="detector", file=data_file(plan.settings.data, box_file, "the box file"))
        yield changed("boxes", "ground-truth", "detector", boxes=boxes)

    decoder, flip = protocol.decoder, protocol.flip
    own = codec_of(decoder)
    for enabled, shift in ((False, False), (True, False), (True, True)):
        if shift and not own.shift_setting:
            continue
        other = flip.model_copy(update={"enabled": enabled, "shift": shift})
        if enabled != flip.enabled:
            tried = "off" if not enabled else f"on, {'shifted' if shift else 'not shifted'}"
            yield changed("flip test", "on" if flip.enabled else "off", tried, enabled, flip=other)
        elif enabled and shift != flip.shift:
            shifts = ("on", "off") if flip.shift else ("off", "on")
            yield changed(f"shift of the mirrored {own.form}", *shifts, flip=other)
    if flip.enabled:
        of_network = flip.indices or protocol.flip_indices
        for first, second in enumerate(of_network):
            if first < second:
                pairs = list(of_network)
                pairs[first], pairs[second] = first, second
                other = flip.model_copy(update={"indices": tuple(pairs)})
                yield changed("mirror pairs", "all", f"not {first} and {second}", flip=other)

    for codec in plugins("codecs").values():
        for alternative in codec.alternatives(decoder) if codec.form == own.form else ():
            other_decoder = alternative.model_copy(update={"kept": decoder.kept})
            if other_decoder != decoder:
                yield changed("decoder", _name(decoder), _name(other_decoder), decoder=other_decoder)

    crop = protocol.crop
    for padding in PADDINGS:
        if padding != crop.padding:
            other_crop = crop.model_copy(update={"padding": padding})
            yield changed("padding", f"{crop.padding:g}", f"{padding:g}", padding == PADDING, crop=other_crop)
    affine: Literal["plain", "udp"] = "plain" if crop.affine == "udp" else "udp"
    yield changed("affine", crop.affine, affine, crop=crop.model_copy(update={"affine": affine}))

    for one in plan.source.alternatives(plan.config):
        yield TriedSetting(one.setting, one.used, one.tried, one.usual), replace(plan, config=one.config)


def _name(decoder: Decoder) -> str:
    kernel = "" if decoder.blur_kernel_size is None else f", kernel {decoder.blur_kernel_size}"
    return f"{decoder.codec}{kernel}"
