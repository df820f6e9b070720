"""Measures crops per second with all cores, from image files to pinned memory."""

import time
from collections.abc import Sequence

import torch

from harness.datasets.people import People
from harness.predict.crop_stream import processors
from harness.predict.shared import crop_batches
from harness.predict.uploads import uploads_to
from harness.protocol import Crop, Protocol
from harness.speed.gpu.outcome import CropRate, Crops
from harness.speed.prepare import geometry_name


def measure_crops(people: People, protocols: Sequence[Protocol], device: torch.device) -> Crops:
    """Measure the crops of the first geometry alone, and of all geometries, on all cores.

    Args:
        people: The people; their images are read from files.
        protocols: Protocols with geometries and batch sizes; the first protocol's geometry is measured alone.
        device: Device that the crops are copied to.
    """
    inputs = list(dict.fromkeys((protocol.crop, protocol.compute.batch_size) for protocol in protocols))
    for _ in crop_batches(people.first_images(1), inputs):  # compiles and loads before the measurement
        pass
    rates = [_rate(people, chosen, device) for chosen in (inputs[:1], inputs)]
    return Crops(cores=processors(), rates=tuple(rates))


def _rate(people: People, inputs: Sequence[tuple[Crop, int]], device: torch.device) -> CropRate:
    uploads = uploads_to(device)
    start = time.perf_counter()
    for _, _, crops in crop_batches(people, inputs, uploads):
        uploads.load(crops)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - start
    names = dict.fromkeys(geometry_name(crop) for crop, _ in inputs)
    return CropRate(geometries=tuple(names), images=len(people.images), boxes=len(people), seconds=seconds)
