"""How large networks are; counted once, and remembered in the cache."""

import contextlib
from collections.abc import Sequence
from importlib.metadata import version

from mmengine.config import Config
from pydantic import TypeAdapter

from harness.assets.cache import cache_folder
from harness.files import content_key, write_json
from harness.predict.networks import build_network, count_flops, without_initialisers
from harness.record import Network

_REMEMBERED = TypeAdapter(dict[str, Network])


def network_sizes(configs: Sequence[Config]) -> list[Network]:
    """Return the parameters and operations of each config's network; to count them takes half a second each."""
    memory = cache_folder() / "network_sizes.json"
    try:
        known = _REMEMBERED.validate_json(memory.read_bytes())
    except (OSError, ValueError):  # nothing is lost with it
        known = {}
    keys = [content_key(version("mmpose"), config.model.to_dict()) for config in configs]
    new = {key: _count(config) for key, config in zip(keys, configs, strict=True) if key not in known}
    if new:
        with contextlib.suppress(OSError):  # a cache that cannot be written to is said where it is needed
            write_json(memory, _REMEMBERED.dump_python(known | new, mode="json"))
    return [(known | new)[key] for key in keys]


def _count(config: Config) -> Network:
    with without_initialisers():
        network = build_network(config).to("meta")
    flop = count_flops(network, tuple(config.model.head.decoder.input_size))
    return Network(parameters=sum(tensor.numel() for tensor in network.parameters()), gflop=round(flop / 1e9, 3))
