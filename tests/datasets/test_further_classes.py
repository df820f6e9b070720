"""People of the further data set classes compared with MMPose's own classes and transforms, bit for bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upstream_config import build_dataset
from written import CONFIGS, WHOLE_IMAGE, load, protocol_of, upstream_samples, write

from harness.datasets.people import check_images, load_people
from harness.errors import ObtainError
from harness.predict.crops import crop_regions, read_image, warp
from harness.suites.ledger import image_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("people")


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_people_equal_upstream(name: str, folder: Path, seed: int) -> None:
    config, path = load(name), folder / "val.json"
    write(np.random.default_rng(seed), name, path)
    expected = upstream_samples(config, path, folder)
    protocol = protocol_of(config)
    if not expected:
        with pytest.raises(ObtainError, match=r"no person in .* has keypoints"):
            load_people(protocol.dataset, path, folder, None, None)
        return
    people = load_people(protocol.dataset, path, folder, None, None)
    regions = crop_regions(people, protocol.crop)

    def column(field: str) -> Any:
        return np.array([sample[field] for sample in expected])

    np.testing.assert_array_equal(people.ids, column("id"))
    np.testing.assert_array_equal(people.image_ids, column("img_id"))
    np.testing.assert_array_equal(people.boxes, column("bbox")[:, 0])
    np.testing.assert_array_equal(people.scores, column("bbox_score")[:, 0])
    np.testing.assert_array_equal(regions.centers, column("bbox_center")[:, 0])
    np.testing.assert_array_equal(regions.sizes, column("bbox_scale")[:, 0])
    assert [str(people.images[image]) for image in people.image_ids.tolist()] == column("img_path").tolist()


def test_an_image_listed_twice_has_its_people_once(folder: Path) -> None:
    config, path = load("ap10k"), folder / "val.json"
    write(np.random.default_rng(1), "ap10k", path)
    document = json.loads(path.read_text())
    document["images"] += document["images"][1::-1]
    path.write_text(json.dumps(document))
    expected = upstream_samples(config, path, folder)
    people = load_people(protocol_of(config).dataset, path, folder, None, None)
    assert people.ids.tolist() == [sample["id"] for sample in expected]
    assert len(set(people.ids.tolist())) == len(people)


@pytest.mark.parametrize("name", CONFIGS)
def test_people_and_crops_of_samples_equal_upstream(name: str, zoo_samples: Path) -> None:
    config = load(name)
    protocol, dataset = protocol_of(config), build_dataset(config, zoo_samples)
    people = load_people(
        protocol.dataset, zoo_samples / protocol.annotations.path, zoo_samples / image_folder(config), None, None
    )
    check_images(people.images)
    assert len(people) == len(dataset) > 0
    regions = crop_regions(people, protocol.crop)
    for i in range(len(people)):
        item = dataset[i]
        sample = item["data_samples"]
        assert (people.ids[i], people.image_ids[i]) == (sample.id, sample.img_id)
        np.testing.assert_array_equal(people.boxes[i], sample.gt_instances.bboxes[0])
        np.testing.assert_array_equal(regions.centers[i], sample.input_center)
        np.testing.assert_array_equal(regions.sizes[i], sample.input_scale)
        crop = warp(read_image(people.images[people.image_ids[i]]), regions.matrices[i], protocol.crop.input_size)
        np.testing.assert_array_equal(crop, item["inputs"].numpy().transpose(1, 2, 0))


@pytest.mark.parametrize("name", WHOLE_IMAGE)
def test_whole_images_are_cropped_to_their_central_part(name: str, folder: Path) -> None:
    write(np.random.default_rng(0), name, folder / "val.json")
    protocol = protocol_of(load(name))
    assert protocol.crop.padding == 0.8
    people = load_people(protocol.dataset, folder / "val.json", folder, None, None)
    side = WHOLE_IMAGE[name]
    assert (people.boxes == [0, 0, side, side]).all()
    regions = crop_regions(people, protocol.crop)
    np.testing.assert_allclose(regions.sizes, 0.8 * side, rtol=1e-6)
    np.testing.assert_array_equal(regions.centers, side / 2)
