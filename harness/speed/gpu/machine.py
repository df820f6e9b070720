"""Describes the measured machine."""

import os
from typing import Any

import torch

from harness.run.environment import describe_environment


def describe_measured_machine(device: torch.device) -> dict[str, Any]:
    """Return the content of a run's environment.json, the number of cores, and the GPU's limits on speed."""
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    machine = describe_environment(str(device)) | {"cores": os.cpu_count(), "cudnn": cudnn}
    if device.type == "cuda":
        machine["compute_capability"] = ".".join(map(str, torch.cuda.get_device_capability(device)))
        machine["multiprocessors"] = torch.cuda.get_device_properties(device).multi_processor_count
    return machine
