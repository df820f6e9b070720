"""Predicts a run again with the same network and one changed setting, for `harness explain --rerun`."""

import copy
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from harness.assets.dataset import data_file
from harness.codecs.flipping import mirror_images
from harness.codecs.interface import codec_of
from harness.datasets.people import People, check_images
from harness.errors import HarnessError, SpecError
from harness.files import content_key
from harness.judge.explanation import Skipped, TriedSetting
from harness.judge.moved_keypoints import single_pairs
from harness.plugins import plugins
from harness.predict.crops import CutOut, warp
from harness.predict.forward import Forward, SharedForward
from harness.predict.other_crops import OTHER_CUTS
from harness.predict.other_heatmaps import FLIPPED_HEATMAPS, ROUNDED_HEATMAPS, ROUNDED_INPUTS, Source
from harness.predict.shared import Estimator, predict_together
from harness.predict.sources.interface import Model
from harness.predict.sources.mmpose import Mmpose
from harness.predict.upstream import predict_upstream
from harness.predict.upstream_numpy import numpy_1_crops
from harness.predict.upstream_warp import our_warp
from harness.predictions import Predictions
from harness.protocol import Boxes, Crop, Decoder, Flip, Protocol
from harness.run.device import has_tf32, torch_defaults
from harness.run.plan import Plan
from harness.run.progress import RunProgress
from harness.suites.decoding import flip_of
from harness.suites.ledger import point_at
from harness.suites.metainfo import read_metainfo
from harness.suites.schema import Row, Suite

PADDING = 1.25
"""MMPose's default."""
PADDINGS = (1.0, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4, 1.5)
KERNELS = (3, 5, 7, 9, 11, 13, 15, 17, 19, 21)
"""Kernels of a decoder's blur, px; MMPose's configs have 5 to 17."""


@dataclass(frozen=True)
class Rerun:
    """Predictions made with one changed setting."""

    change: TriedSetting
    predictions: Predictions
    protocol: Protocol


Rounding = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class ChangedPlan:
    """A plan with one changed setting."""

    change: TriedSetting
    plan: Plan
    cut_out: CutOut = warp
    heatmaps: Source = SharedForward.of
    rounding: Rounding | None = None
    """Rounding of the network's inputs."""


Choose = Callable[[People], People]
"""Selects some of a run's people."""


def reruns(suite: Suite, row: Row, plan: Plan, progress: RunProgress) -> tuple[list[Rerun], list[Skipped]]:
    """Predict a run with one changed setting at a time.

    Returns:
        The predictions, and the settings that could not be tried.
    """
    name = suite.row_id(row)
    done: list[Rerun] = []
    skipped: list[Skipped] = []
    for changed, outcome in predict_changed(name, changed_plans(suite, row, plan), progress):
        if isinstance(outcome, Predictions):
            done.append(Rerun(changed.change, outcome, changed.plan.protocol))
        else:
            skipped.append(Skipped(change=changed.change, reason=str(outcome.args[0])))
    if isinstance(plan.source, Mmpose) and plan.protocol.compute.exact and has_tf32(plan.settings.device):
        done.append(in_tf32(name, plan, progress))
    return done, skipped


def predict_changed(
    name: str, changed: Iterable[ChangedPlan], progress: RunProgress, choose: Choose = lambda people: people
) -> Iterator[tuple[ChangedPlan, Predictions | HarnessError]]:
    """Predict with changed plans, one network at a time, because memory may not suffice for several.

    Args:
        name: The row's name.
        changed: The plans.
        progress: Receives the progress.
        choose: Selects the people to predict.

    Yields:
        Each plan with its predictions or its error.
    """
    groups: dict[tuple[str, str, CutOut, Rounding | None], list[ChangedPlan]] = {}
    for one in changed:
        network = content_key(one.plan.source.content(one.plan.config))
        groups.setdefault((one.plan.people_key, network, one.cut_out, one.rounding), []).append(one)
    loaded: tuple[str, Model] | None = None
    for (_, network, *_), group in sorted(groups.items(), key=lambda item: item[0][1]):
        outcomes: Sequence[Predictions | Exception]
        try:
            if loaded is None or loaded[0] != network:
                progress.stage(name, "network")
                loaded = network, group[0].plan.model()
            outcomes = _predict(name, loaded[1], group, progress, choose)
        except HarnessError as error:
            outcomes = [error] * len(group)
        for one, outcome in zip(group, outcomes, strict=True):
            if not isinstance(outcome, Predictions | HarnessError):
                raise outcome
            yield one, outcome


def _predict(
    name: str, network: Model, group: Sequence[ChangedPlan], progress: RunProgress, choose: Choose
) -> Sequence[Predictions | Exception]:
    """Predict with changed plans for the same people and network; returns the predictions or the error of each."""
    people = choose(group[0].plan.people())
    check_images(people.images)
    if isinstance(network, Forward):
        network.round_inputs(group[0].rounding)
    shared: dict[Crop, SharedForward] = {}
    """One for each geometry, because each keeps the outputs of one batch."""
    estimators = []
    for changed in group:
        protocol = changed.plan.protocol
        source = changed.heatmaps(shared.setdefault(protocol.crop, SharedForward(network)), protocol)
        estimators.append(Estimator(source, protocol, progress.advance))
    progress.stage(name, "predict", len(people) * len(group))
    return predict_together(estimators, people, group[0].cut_out)


def in_tf32(name: str, plan: Plan, progress: RunProgress) -> Rerun:
    """Predict with MMPose's own loop and torch's defaults, as its scripts do: on this GPU, convolutions use TF32."""
    people, protocol = plan.people(), plan.protocol
    config = point_at(plan.config, str(plan.settings.data))
    progress.stage(name, "predict", len(people))
    with torch_defaults(), numpy_1_crops(config), our_warp(config), tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "log.txt")
        predictions, _ = predict_upstream(plan.network(), config, people, protocol, progress.advance, log)
    change = TriedSetting("convolutions", "single precision", "TF32", usual=True)
    return Rerun(change, predictions, protocol)


def changed_plans(suite: Suite, row: Row, plan: Plan) -> Iterator[ChangedPlan]:
    """Yield a row's plan with one changed setting at a time."""
    protocol = plan.protocol

    def changed(setting: str, used: str, tried: str, usual: bool = False, **fields: Any) -> ChangedPlan:
        other = replace(plan, protocol=protocol.model_copy(update=fields))
        return ChangedPlan(TriedSetting(setting, used, tried, usual), other)

    box_file = suite.dataset_of(row).boxes
    if protocol.boxes.source == "detector":
        yield changed("boxes", "detector", "ground-truth", boxes=Boxes(source="ground-truth"))
    elif box_file and (plan.settings.data / box_file).is_file():
        boxes = Boxes(source="detector", file=data_file(plan.settings.data, box_file, "the box file"))
        yield changed("boxes", "ground-truth", "detector", boxes=boxes)

    flip, codec = protocol.flip, codec_of(protocol.decoder)
    if flip.enabled:
        yield changed("flip test", "on", "off", flip=flip.model_copy(update={"enabled": False, "shift": False}))
        shifts = ("on", "off") if flip.shift else ("off", "on")
        other = flip.model_copy(update={"shift": not flip.shift})
        if codec.shift_setting:
            what = "coordinates" if codec.form == "coordinates" else "heatmaps"
            yield changed(f"shift of the mirrored {what}", *shifts, flip=other)
        for tried, order in _other_pairs(mirror_images(protocol)):
            yield changed("mirror pairs", "all", tried, flip=flip.model_copy(update={"indices": order}))
    else:
        for other in _flip_tests(plan):
            tried = f"on, {'shifted' if other.shift else 'not shifted'}"
            yield changed("flip test", "off", tried, usual=True, flip=other)

    for decoder in _other_decoders(protocol.decoder):
        yield changed("decoder", _name(protocol.decoder), _name(decoder), decoder=decoder)

    crop = protocol.crop
    for padding in PADDINGS:
        if padding != crop.padding:
            other_crop = crop.model_copy(update={"padding": padding})
            yield changed("padding", f"{crop.padding:g}", f"{padding:g}", padding == PADDING, crop=other_crop)
    affine: Literal["plain", "udp"] = "plain" if crop.affine == "udp" else "udp"
    yield changed("affine", crop.affine, affine, crop=crop.model_copy(update={"affine": affine}))

    for one in plan.source.alternatives(plan.config):
        change = TriedSetting(one.setting, one.used, one.tried, one.usual)
        yield ChangedPlan(change, replace(plan, config=one.config))
    for (setting, tried), cut_out in OTHER_CUTS.items():
        yield ChangedPlan(TriedSetting(setting, "MMPose's", tried), plan, cut_out=cut_out)
    if isinstance(plan.source, Mmpose):
        for name, rounding in ROUNDED_INPUTS:
            yield ChangedPlan(TriedSetting("inputs", "single precision", name), plan, rounding=rounding)
    others = (*(FLIPPED_HEATMAPS if flip.enabled else ()), *ROUNDED_HEATMAPS) if codec.has_heatmaps else ()
    for setting, used, tried, heatmaps in others:
        yield ChangedPlan(TriedSetting(setting, used, tried), plan, heatmaps=heatmaps)


def _flip_tests(plan: Plan) -> Iterator[Flip]:
    """Yield the possible flip tests for the config of a run without one.

    Yields none if the network has other keypoints than the data set and the config does not state their mirror images.
    """
    config = copy.deepcopy(plan.config)
    codec = codec_of(plan.protocol.decoder)
    for shift in (False, True) if codec.shift_setting else (False,):
        test = {"flip_test": True, "flip_mode": codec.flip_mode}
        if codec.shift_setting:
            test[codec.shift_setting[0]] = shift
        config.model.test_cfg = dict(config.model.get("test_cfg") or {}) | test
        try:
            yield flip_of(config, plan.protocol.decoder, read_metainfo(config.test_dataloader.dataset))
        except SpecError:
            return


def _other_pairs(pairs: Sequence[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield mirror images of keypoints without one of the pairs, if there are few, and without any pair."""
    for first, second in single_pairs(pairs):
        others = list(pairs)
        others[first], others[second] = first, second
        yield f"not {first} and {second}", tuple(others)
    none = tuple(range(len(pairs)))
    if none != tuple(pairs):
        yield "none", none


def _other_decoders(own: Decoder) -> Iterator[Decoder]:
    """Yield the decoders of all codecs for the same form of outputs, and the run's own decoder with other kernels."""
    kernels = KERNELS if own.blur_kernel_size is not None else ()
    found = [own.model_copy(update={"blur_kernel_size": kernel}) for kernel in kernels]
    for codec in plugins("codecs").values():
        if codec.form == codec_of(own).form:
            of_codec = (one.model_copy(update={"kept": own.kept}) for one in codec.alternatives(own))
            found += [decoder for decoder in of_codec if decoder not in found]
    yield from (decoder for decoder in found if decoder != own)


def _name(decoder: Decoder) -> str:
    kernel = "" if decoder.blur_kernel_size is None else f", kernel {decoder.blur_kernel_size}"
    return f"{decoder.codec}{kernel}"
