"""Several networks in one pass give the same results as alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_passes import SmallNetwork, draw_people, protocol

from harness.datasets.people import People
from harness.errors import RunError
from harness.predict import shared
from harness.predict.decoding import begin_decoding
from harness.predict.forward import Forward
from harness.predict.shared import Estimator, predict_shared, predict_together
from harness.predictions import Predictions
from harness.protocol import Crop, Protocol

UDP = Crop(input_size=(72, 96), padding=1.25, affine="udp")


@pytest.fixture
def people(tmp_path: Path) -> People:
    return draw_people(tmp_path, [5, 1, 7, 3, 6])


def together(people: People, *members: tuple[SmallNetwork, Protocol]) -> list[Predictions | Exception]:
    return predict_together(
        [Estimator(Forward(network, protocol), protocol, lambda _: None) for network, protocol in members], people
    )


def alone(people: People, network: SmallNetwork, protocol: Protocol) -> Predictions:
    return predict_shared(Forward(network, protocol), people, protocol, lambda _: None)


def assert_same(found: Predictions | Exception, expected: Predictions) -> None:
    assert isinstance(found, Predictions)
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), values)


def test_as_if_alone(people: People) -> None:
    """For any geometries and batch sizes of the other networks."""
    other = protocol(batch_size=7).model_copy(
        update={"crop": UDP, "decoder": protocol().decoder.model_copy(update={"heatmap_size": (18, 24)})}
    )
    protocols = [protocol(batch_size=4), protocol(batch_size=4), protocol(batch_size=5), other]
    found = together(people, *((SmallNetwork(seed), each) for seed, each in enumerate(protocols)))
    for seed, (each, predictions) in enumerate(zip(protocols, found, strict=True)):
        assert_same(predictions, alone(people, SmallNetwork(seed), each))


def test_batches_are_those_of_the_config(people: People) -> None:
    networks = SmallNetwork(0), SmallNetwork(1)
    together(people, (networks[0], protocol(batch_size=4)), (networks[1], protocol(batch_size=7)))
    assert networks[0].sizes == [4, 4] * 5 + [2, 2]
    assert networks[1].sizes == [7, 7] * 3 + [1, 1]


def test_one_that_fails_leaves_the_others_running(people: People) -> None:
    broken = SmallNetwork(2)
    broken.head.weight[1] = torch.nan
    found = together(
        people,
        (SmallNetwork(0), protocol()),
        (SmallNetwork(1, fails_at=4), protocol()),
        (broken, protocol()),
        (SmallNetwork(3, room=2), protocol()),
    )
    assert_same(found[0], alone(people, SmallNetwork(0), protocol()))
    assert isinstance(found[1], ValueError)
    assert isinstance(found[2], RunError)
    assert "values that are not finite numbers" in str(found[2])
    assert isinstance(found[3], Predictions)


def test_nothing_is_cut_for_networks_that_all_failed(people: People) -> None:
    networks = SmallNetwork(0, fails_at=1), SmallNetwork(1, fails_at=1)
    found = together(people, *((network, protocol()) for network in networks))
    assert [type(outcome) for outcome in found] == [ValueError, ValueError]
    assert [network.sizes for network in networks] == [[4], [4]]


def test_progress_counts_everybody_once(people: People) -> None:
    counts: list[int] = []
    predict_shared(Forward(SmallNetwork(), protocol()), people, protocol(), counts.append)
    assert sum(counts) == len(people)


@pytest.mark.parametrize(("networks", "ahead"), [(1, 2), (2, 1), (3, 1)])
def test_results_are_read_when_the_next_batches_are_launched(
    people: People, networks: int, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    class Noted:
        def __init__(self, *arguments: Any) -> None:
            order.append("launch")
            self._decoding = begin_decoding(*arguments)

        def result(self) -> Any:
            order.append("read")
            return self._decoding.result()

    monkeypatch.setattr(shared, "begin_decoding", Noted)
    together(people, *((SmallNetwork(number), protocol()) for number in range(networks)))
    assert order.count("launch") == order.count("read") == networks * 6
    assert order[: order.index("read")] == ["launch"] * (networks * ahead + 1)
