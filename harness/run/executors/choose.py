"""Finds the executor that a user asks for."""

from harness.errors import UsageError
from harness.run.device import choose_device
from harness.run.executors.base import Executor, OnPeople
from harness.run.executors.devices import Devices
from harness.run.executors.here import Here
from harness.run.executors.ray_cluster import RayCluster


def choose_executor(kind: str, address: str | None, device: str | None, progress: OnPeople) -> Executor:
    """Return an executor, not begun yet.

    Args:
        kind: `local` or `ray`.
        address: Of a Ray cluster; None for one of this machine.
        device: One, or several of one machine separated by commas; None for GPUs where there are some, else the CPU.
        progress: Called with numbers of people done.

    Raises:
        UsageError: There is no such device, Ray is not installed, or an option does not go with the executor.
    """
    if kind == "ray":
        if device not in (None, "cpu", "cuda"):
            raise UsageError(
                f"--device {device} does not go with --executor ray, which gives each task a GPU of its own",
                "name --device cuda or --device cpu",
            )
        return RayCluster(address, device, progress)
    if address:
        raise UsageError("--address is for --executor ray")
    devices = [choose_device(name.strip()) for name in device.split(",")] if device else [choose_device(None)]
    if len({name.partition(":")[0] for name in devices}) > 1:
        raise UsageError(f"--device {device}: processors of different kinds round differently", "name one kind")
    return Here(devices[0], progress) if len(devices) == 1 else Devices(devices, progress)
