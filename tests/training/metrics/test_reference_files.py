"""Files of reference statistics: written, read back, refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.training.metrics.references import rewrite, write_version_2
from training.errors import MetricError, ProjectError
from training.metrics.reference import (
    compute_reference,
    load_reference,
    save_reference,
)


def test_a_written_reference_is_read_back_exactly(reference, written):
    found = load_reference(written)
    assert np.array_equal(found.statistics.mean, reference.statistics.mean)
    assert np.array_equal(found.statistics.covariance, reference.statistics.covariance)
    assert found.statistics.num_samples == 200
    for name in ("dataset", "extractor", "noise_floor", "details"):
        assert getattr(found, name) == getattr(reference, name)


def test_a_folder_in_the_place_of_the_file_is_one_sentence(reference, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(ProjectError, match="taken cannot be written"):
        save_reference(tmp_path / "taken", reference)


def test_a_file_holds_half_of_the_symmetric_matrix(written):
    sizes = {name: tensor.shape for name, tensor in load_file(written).items()}
    assert sizes == {
        "mean": (48,),
        "covariance_upper": (48 * 49 // 2,),
        "real.indices": (100,),
        "real.features": (100, 48),
        "real.measured_indices": (200,),
        "real.nearest_distances": (101,),
    }


def test_truncated_files_are_refused(written):
    content = written.read_bytes()
    for size in (0, 5, 200, len(content) - 1):
        written.write_bytes(content[:size])
        with pytest.raises(MetricError, match=r"noise-16-tiny\.safetensors"):
            load_reference(written)


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(MetricError, match=r"none\.safetensors"):
        load_reference(tmp_path / "none.safetensors")


@pytest.mark.parametrize("name", ["mean", "covariance_upper"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(written, name, value):
    damaged = load_file(written)[name]
    damaged[3] = value
    rewrite(written, {name: damaged})
    with pytest.raises(MetricError, match="not finite"):
        load_reference(written)


def test_what_is_no_covariance_is_refused(written):
    damaged = load_file(written)["covariance_upper"]
    damaged[1] = 100 * np.abs(damaged).max()  # a correlation far above 1
    rewrite(written, {"covariance_upper": damaged})
    with pytest.raises(MetricError, match="negative eigenvalues"):
        load_reference(written)


def test_a_singular_covariance_is_accepted(tiny_extractor, make_dataset, tmp_path):
    """10 images in 48 dimensions: most eigenvalues are 0 but for rounding."""
    path = tmp_path / "small.safetensors"
    save_reference(path, compute_reference(make_dataset(10), "tiny", progress=False))
    assert load_reference(path).statistics.num_samples == 10


@pytest.mark.parametrize(
    ("tensors", "facts"),
    [
        ({"mean": np.zeros(47)}, {}),
        ({"mean": np.zeros((6, 8))}, {}),
        ({"mean": np.zeros(48, dtype=np.float32)}, {}),
        ({}, {"num_samples": 1}),
        ({}, {"num_samples": "many"}),
        ({}, {"noise_floor": []}),
        ({}, {"noise_floor": [[64, 2.0], [64, 1.0]]}),
        ({}, {"noise_floor": [[64, float("nan")]]}),
        ({}, {"noise_floor": 3}),
        ({}, {"dataset": None}),
        ({}, {"format_version": 4}),
        ({"real.features": np.zeros((99, 48), dtype=np.float16)}, {}),
        ({"real.features": np.full((100, 48), np.nan, dtype=np.float16)}, {}),
        ({"real.nearest_distances": np.zeros(5, dtype=np.float32)}, {}),
        ({"real.measured_indices": np.arange(100)}, {}),
        ({}, {"real": {"mean_pair_distance": 1.0}}),
        ({}, {"modes": [{"name": "hair", "values": ["bun", "spiky"], "real_shares": [0.5, 0.5]}]}),
    ],
)
def test_inconsistent_files_are_refused(written, tensors, facts):
    rewrite(written, tensors, **facts)
    with pytest.raises(MetricError, match=r"noise-16-tiny.*expected"):
        load_reference(written)


def test_other_safetensors_files_are_refused(tmp_path):
    path = tmp_path / "generator.safetensors"
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(MetricError, match="without reference statistics"):
        load_reference(path)


def test_real_features_survive_the_file(reference, written):
    loaded = load_reference(written).real
    np.testing.assert_array_equal(loaded.features, reference.real.features)
    np.testing.assert_array_equal(loaded.indices, reference.real.indices)
    np.testing.assert_array_equal(loaded.measured_indices, reference.real.measured_indices)
    np.testing.assert_array_equal(loaded.nearest_distances, reference.real.nearest_distances)
    assert loaded.pair_quantiles == reference.real.pair_quantiles
    assert loaded.baselines == reference.real.baselines
    assert loaded.mean_pair_distance == reference.real.mean_pair_distance


@pytest.mark.parametrize(("num_used", "expected"), [(200, range(200)), (50, range(0, 200, 4))])
def test_files_of_version_2_measured_evenly_spaced_images(
    tiny_extractor, make_dataset, tmp_path, num_used, expected
):
    dataset, path = make_dataset(200), tmp_path / "old.safetensors"
    reference = compute_reference(dataset, "tiny", progress=False, max_images=num_used)
    measured = np.array(expected)
    real = dataclasses.replace(
        reference.real, indices=measured[::2].copy(), measured_indices=measured
    )
    write_version_2(path, dataclasses.replace(reference, real=real))
    loaded = load_reference(path).real
    assert loaded.measured_indices.tolist() == list(expected)
    assert loaded.indices.tolist() == list(expected)[::2]


def test_the_shipped_references_name_the_images_they_were_made_of():
    """Two are of version 2: the toon heads' is of every other image, the faces' of all."""
    folder = Path(__file__).parents[3] / "checkpoints" / "references"
    small, large, avatars, faces, digits, aged = (
        load_reference(path).real for path in sorted(folder.glob("*.safetensors"))
    )
    assert avatars.measured_indices.tolist() == list(range(0, 20_000, 2))
    assert faces.measured_indices.tolist() == list(range(10_000))
    # Of more images than are measured some are chosen at random.
    assert len(np.unique(digits.measured_indices)) == 10_000
    assert 59_000 < digits.measured_indices.max() < 60_000
    for drawn in (small, large):
        assert len(np.unique(drawn.measured_indices)) == 10_000
        assert 19_900 < drawn.measured_indices.max() < 20_000
    assert len(np.unique(aged.measured_indices)) == 10_000
    assert 23_000 < aged.measured_indices.max() < 23_317
