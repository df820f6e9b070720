"""Files of weights."""

import collections
import copy
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo  # some unusual tensors import it, and it then creates a cache folder

from harness.assets.checkpoints import load_weights

from .damage import VALUES, changes
from .fuzzing import TIMEOUT, Target, fuzz

pytestmark = TIMEOUT


NETWORK = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2)).eval()


def content() -> dict[str, Any]:
    meta = {"epoch": 1, "config": "text", "sigmas": np.ones(3, np.float32), "best": np.float64(0.5)}
    return {"meta": meta, "state_dict": copy.deepcopy(NETWORK.state_dict())}


def read(folder: Path) -> None:
    network = copy.deepcopy(NETWORK)
    load_weights(network, folder / "weights.pth")
    for name, value in NETWORK.state_dict().items():
        loaded = network.state_dict()[name]
        assert (loaded.shape, loaded.dtype) == (value.shape, value.dtype)
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 2, 2)).shape == (1, 2, 2, 2)


ONE = torch.ones(2)
JUNK: tuple[Any, ...] = (
    *VALUES,
    *(ONE.to(kind) for kind in (torch.float32, torch.float64, torch.float16, torch.bool, torch.complex64)),
    *(torch.ones(0), torch.tensor(5), torch.full((2,), torch.nan), torch.ones(2, device="meta")),
    *(torch.ones(2, 1, 1, 1).expand(2, 10**6, 10**6, 10), ONE.to_sparse(), torch.nn.Parameter(ONE)),
    *(np.ones(2), np.float32(1), np.array("x"), np.ones((2, 2), np.complex64), np.zeros(2, "M8[s]"), np.array([None])),
    *({1, 2}, b"bytes", (1,), 1j, range(3), print, Random, Path("x"), collections.Counter("a")),
    *(collections.OrderedDict(a=1), torch.Size([1]), torch.float32, torch.device("cpu")),
)
NAMES = (1, None, (1,), True, "", "module.", "module.0.weight", "0.weight", "x" * 300, "a\0")


def junk(choose: Random) -> Any:
    return copy.deepcopy(choose.choice(JUNK))


def damage(choose: Random, path: Path, _whole: bytes) -> None:
    document = content()
    for _ in changes(choose):
        state = document.get("state_dict")
        match choose.randrange(8):
            case 0:
                document[choose.choice(("state_dict", "meta", "other"))] = junk(choose)
            case 1 if isinstance(state, dict) and state:
                del state[choose.choice(list(state))]
            case 2 if isinstance(state, dict):
                state[choose.choice(NAMES)] = junk(choose)
            case 3 if isinstance(state, collections.OrderedDict):
                odd = junk(choose)
                metadata: Any = choose.choice((odd, {"": odd}, {"1": {"version": odd}}, {1: {}}))
                setattr(state, "_metadata", metadata)  # noqa: B010  its type does not declare the attribute
            case 4 if isinstance(state, dict) and state:
                key = choose.choice(list(state))
                tensor = state[key]
                dense = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided and tensor.ndim
                state[key] = tensor[..., :1] if dense else state
            case 5:
                document = choose.choice(
                    (document, {"state_dict": document}, state if isinstance(state, dict) else {}, {"model": state})
                )
            case _ if isinstance(state, dict) and state:
                state[choose.choice(list(state))] = junk(choose)
    try:
        torch.save(document, path, _use_new_zipfile_serialization=choose.random() < 0.5)
    except Exception:  # noqa: BLE001  torch cannot save it, so such a file cannot exist
        torch.save(content(), path)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_checkpoints(zipped: bool, tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        torch.save(content(), folder / "weights.pth", _use_new_zipfile_serialization=zipped)

    fuzz(Target(write, (read,), ("weights.pth",), damage), tmp_path)
