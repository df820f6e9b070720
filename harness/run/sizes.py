"""Parameters and operations of networks; counted once, then cached."""

import contextlib
from collections.abc import Sequence

from mmengine.config import Config
from pydantic import TypeAdapter

from harness.assets.cache import cache_folder
from harness.files import content_key, write_json
from harness.predict.sources.interface import ModelKind
from harness.record import Network

_REMEMBERED = TypeAdapter(dict[str, Network])


def network_sizes(models: Sequence[tuple[ModelKind, Config]]) -> list[Network]:
    """Return the parameters and operations of each config's model; counting takes half a second per model."""
    memory = cache_folder() / "network_sizes.json"
    try:
        known = _REMEMBERED.validate_json(memory.read_bytes())
    except (OSError, ValueError):  # the cache only saves time
        known = {}
    keys = [content_key(kind.name, kind.release, kind.content(config)) for kind, config in models]
    new = {key: _count(*model) for key, model in zip(keys, models, strict=True) if key not in known}
    if new:
        with contextlib.suppress(OSError):  # downloads, which need the cache, report that it cannot be written
            write_json(memory, _REMEMBERED.dump_python(known | new, mode="json"))
    return [(known | new)[key] for key in keys]


def _count(kind: ModelKind, config: Config) -> Network:
    size = kind.size(config)
    return Network(parameters=size.parameters, gflop=round(size.flop / 1e9, 3))
