"""How much networks compute; counted once, and remembered in the cache."""

import contextlib
from collections.abc import Sequence
from importlib.metadata import version

from mmengine.config import Config
from pydantic import TypeAdapter

from harness.assets.cache import cache_folder
from harness.files import content_key, write_json
from harness.predict.networks import build_network, count_flops, without_initialisers


def count_operations(configs: Sequence[Config]) -> list[int]:
    """Return the floating-point operations of each config's network for one crop, half a second's work each."""
    memory = cache_folder() / "operations.json"
    try:
        known: dict[str, int] = TypeAdapter(dict[str, int]).validate_json(memory.read_bytes())
    except (OSError, ValueError):  # nothing is lost with it
        known = {}
    keys = [content_key(version("mmpose"), config.model.to_dict()) for config in configs]
    new = {key: _count(config) for key, config in zip(keys, configs, strict=True) if key not in known}
    if new:
        with contextlib.suppress(OSError):  # a cache that cannot be written to is said where it is needed
            write_json(memory, known | new)
    return [(known | new)[key] for key in keys]


def _count(config: Config) -> int:
    with without_initialisers():
        network = build_network(config)
    return count_flops(network.to("meta"), tuple(config.model.head.decoder.input_size))
