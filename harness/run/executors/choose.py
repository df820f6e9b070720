"""Creates the executor that the options ask for."""

from harness.errors import UsageError, check_text
from harness.run.device import DEVICE_NAMES, choose_device
from harness.run.executors.base import Executor, OnPeople
from harness.run.executors.devices import Devices
from harness.run.executors.here import Here
from harness.run.executors.ray_cluster import RayCluster


def choose_executor(kind: str, address: str | None, device: str | None, progress: OnPeople) -> Executor:
    """Return an executor that is not started yet.

    Args:
        kind: `local` or `ray`.
        address: Address of a Ray cluster; None for a cluster on this machine.
        device: One device, or several of one machine separated by commas; None for GPUs if there are any, else the CPU.
        progress: Called with the number of people done since the last call.

    Raises:
        UsageError: A device does not exist, Ray is not installed, or an option does not fit the executor.
    """
    check_text("device", device, DEVICE_NAMES, optional=True)
    if kind == "ray":
        if device not in (None, "cpu", "cuda"):
            raise UsageError(
                f"--device {device} does not fit --executor ray, which assigns a GPU to each task",
                "use --device cuda or --device cpu",
            )
        return RayCluster(address, device, progress)
    if address:
        raise UsageError("--address needs --executor ray")
    devices = [choose_device(name.strip()) for name in device.split(",")] if device else [choose_device(None)]
    if len({name.partition(":")[0] for name in devices}) > 1:
        raise UsageError(f"--device {device}: different kinds of processors round differently", "name one kind")
    return Here(devices[0], progress) if len(devices) == 1 else Devices(devices, progress)
