"""Reference statistics: computed, written, read, found, refused."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from training.datasets import ImageDataset
from training.datasets.types import LabelColumn
from training.errors import MetricError
from training.metrics.extractors import load_extractor
from training.metrics.frechet import compute_statistics
from training.metrics.kid import compute_kid
from training.metrics.reference import (
    compute_reference,
    find_reference,
    get_reference,
    load_reference,
    save_reference,
)
from training.metrics.reference_files import METADATA_KEY


def block_means(dataset):
    """Compute the tiny extractor's features with NumPy alone."""
    blocks = dataset.images.reshape(len(dataset), 3, 4, 4, 4, 4).astype(np.float64)
    return blocks.mean(axis=(3, 5)).reshape(len(dataset), 48) / 255


@pytest.fixture
def reference(tiny_extractor, make_dataset):
    return compute_reference(make_dataset(200), "tiny", progress=False)


@pytest.fixture
def written(reference, tmp_path):
    path = tmp_path / "noise-16-tiny.safetensors"
    save_reference(path, reference)
    return path


def rewrite(path, tensors=None, **facts):
    """Change tensors or facts of a reference file."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    values = json.loads(metadata[METADATA_KEY]) | facts
    contents = load_file(path) | (tensors or {})
    save_file(contents, path, metadata={METADATA_KEY: json.dumps(values)})


def test_statistics_are_those_of_the_features(reference, make_dataset):
    expected = compute_statistics(block_means(make_dataset(200)))
    np.testing.assert_allclose(reference.statistics.mean, expected.mean, rtol=1e-5)
    np.testing.assert_allclose(reference.statistics.covariance, expected.covariance, atol=1e-7)
    assert reference.statistics.num_samples == 200
    assert [count for count, _ in reference.noise_floor] == [16, 32, 64, 100]
    assert reference.details == {"num_images_used": 200, "num_images": 200, "selection": "all"}


def test_of_a_large_data_set_some_images_are_measured(tiny_extractor, make_dataset):
    dataset = make_dataset(200)
    reference = compute_reference(dataset, "tiny", progress=False, max_images=50)
    measured = reference.real.measured_indices
    assert len(set(measured.tolist())) == 50
    assert np.isin(reference.real.indices, measured).all()
    thinned = dataclasses.replace(dataset, images=dataset.images[measured])
    expected = compute_statistics(block_means(thinned))
    np.testing.assert_allclose(reference.statistics.mean, expected.mean, rtol=1e-5)
    assert reference.details["selection"] == "chosen at random"
    assert reference.details["num_images_used"] == 50


def test_the_noise_floor_knows_where_it_was_measured(reference):
    assert reference.get_noise_floor(64) == pytest.approx(dict(reference.noise_floor)[64])
    assert [reference.is_noise_floor_measured(n) for n in (15, 16, 70, 100, 101)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert reference.get_noise_floor(1000) < reference.get_noise_floor(100)


def test_too_small_a_data_set_is_refused(tiny_extractor, make_dataset):
    with pytest.raises(MetricError, match=r"3 image\(s\), expected at least 4"):
        compute_reference(make_dataset(3), "tiny", progress=False)


def test_grey_data_sets_work(tiny_extractor, make_dataset):
    colour = make_dataset(20)
    grey = dataclasses.replace(colour, images=colour.images[:, :1])
    statistics = compute_reference(grey, "tiny", progress=False).statistics
    np.testing.assert_allclose(statistics.mean[:16], statistics.mean[32:])


def test_a_written_reference_is_read_back_exactly(reference, written):
    found = load_reference(written)
    assert np.array_equal(found.statistics.mean, reference.statistics.mean)
    assert np.array_equal(found.statistics.covariance, reference.statistics.covariance)
    assert found.statistics.num_samples == 200
    for name in ("dataset", "extractor", "noise_floor", "details"):
        assert getattr(found, name) == getattr(reference, name)


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


def test_finding_looks_at_fingerprint_resolution_and_extractor(reference, written, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"?")
    folders = [tmp_path / "absent", tmp_path]
    found = find_reference(reference.dataset, "tiny", folders)
    assert found is not None
    assert found.dataset == reference.dataset
    assert find_reference(reference.dataset, "inception", folders) is None
    for change in ({"fingerprint": "f" * 64}, {"resolution": 32}):
        assert find_reference(reference.dataset | change, "tiny", folders) is None
    assert find_reference({}, "tiny", folders) is None


def test_finding_prefers_the_statistics_of_more_images(tiny_extractor, make_dataset, tmp_path):
    dataset = make_dataset(100)
    for name, count in (("a", 40), ("b", 90), ("c", 60)):
        path = tmp_path / f"{name}.safetensors"
        save_reference(path, compute_reference(dataset, "tiny", False, max_images=count))
    found = find_reference(dataset.describe(), "tiny", [tmp_path])
    assert found is not None
    assert found.statistics.num_samples == 90


def test_a_cached_reference_is_not_computed_again(tiny_extractor, make_dataset, tmp_path):
    """The second call gets a data set whose pixels cannot be read, and does not need them."""
    dataset = make_dataset(30)
    first = get_reference(dataset, "tiny", tmp_path, progress=False)

    class Unreadable(ImageDataset):
        def __getitem__(self, index):
            raise AssertionError("the pixels were read")

    facts = {field.name: getattr(dataset, field.name) for field in dataclasses.fields(dataset)}
    second = get_reference(Unreadable(**facts), "tiny", tmp_path, progress=False)
    assert np.array_equal(first.statistics.covariance, second.statistics.covariance)


def test_other_pixels_and_other_limits_are_other_references(tiny_extractor, make_dataset, tmp_path):
    means = {
        get_reference(
            make_dataset(30, seed), "tiny", tmp_path, False, max_images=limit
        ).statistics.mean[0]
        for seed, limit in ((0, 30), (1, 30), (0, 20))
    }
    assert len(means) == 3


def test_a_damaged_cache_is_replaced(tiny_extractor, make_dataset, tmp_path):
    dataset = make_dataset(30)
    first = get_reference(dataset, "tiny", tmp_path, progress=False)
    (path,) = (tmp_path / "references").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    second = get_reference(dataset, "tiny", tmp_path, progress=False)
    assert np.array_equal(first.statistics.mean, second.statistics.mean)
    assert load_reference(path).statistics.num_samples == 30


def test_unknown_extractors_are_refused(make_dataset, tmp_path):
    with pytest.raises(MetricError, match="expected one of"):
        get_reference(make_dataset(30), "vgg", tmp_path, progress=False)


def test_the_default_extractor_makes_a_reference(make_dataset, tmp_path):
    dataset = make_dataset(8)
    reference = compute_reference(dataset, "efficientnet-lite0", progress=False)
    assert reference.statistics.mean.shape == (1280,)
    path = tmp_path / "reference.safetensors"
    save_reference(path, reference)
    assert load_reference(path).extractor == load_extractor("efficientnet-lite0").key


def test_the_real_features_kept_are_those_of_half_of_the_images(reference, make_dataset):
    kept = reference.real
    assert len(set(kept.indices.tolist())) == 100
    np.testing.assert_allclose(
        kept.features, block_means(make_dataset(200))[kept.indices], rtol=1e-3
    )
    assert kept.measured_indices.tolist() == list(range(200))
    # Held-out images of the same noise get a KID near 0 against those kept.
    ((count, kid),) = [pair for pair in kept.baselines["kid"] if pair[0] == 100]
    assert count == 100
    assert abs(kid) < 0.01


def test_real_features_survive_the_file(reference, written):
    loaded = load_reference(written).real
    np.testing.assert_array_equal(loaded.features, reference.real.features)
    np.testing.assert_array_equal(loaded.indices, reference.real.indices)
    np.testing.assert_array_equal(loaded.measured_indices, reference.real.measured_indices)
    np.testing.assert_array_equal(loaded.nearest_distances, reference.real.nearest_distances)
    assert loaded.pair_quantiles == reference.real.pair_quantiles
    assert loaded.baselines == reference.real.baselines
    assert loaded.mean_pair_distance == reference.real.mean_pair_distance


def make_labelled(dataset):
    """Darken every other image, and label them."""
    is_bright = np.arange(len(dataset)) % 2
    images = np.where(is_bright[:, None, None, None], dataset.images, dataset.images // 2)
    columns = (LabelColumn("light", ("dark", "bright")),)
    return dataclasses.replace(
        dataset, images=images, labels=is_bright[:, None], label_columns=columns
    )


def test_sources_in_turn_do_not_part_what_is_kept_from_what_is_held_out(
    tiny_extractor, make_dataset
):
    """Every other image is darker: kept and held-out ones are of both kinds, and alike."""
    dataset = make_labelled(make_dataset(400))
    reference = compute_reference(dataset, "tiny", progress=False)
    features, kept = block_means(dataset), reference.real
    held_out = np.delete(features, kept.indices, axis=0)
    assert len(held_out) == 200
    found = compute_kid(held_out, kept.features).value
    (*_, (count, kid)) = kept.baselines["kid"]
    assert (count, kid) == (200, pytest.approx(found, rel=1e-3))
    # As far apart as every other image would part them, the two kinds are.
    assert abs(found) < 0.03 * compute_kid(features[::2], features[1::2]).value


def test_sources_in_turn_are_measured_alike(tiny_extractor, make_dataset):
    dataset = make_labelled(make_dataset(2000))
    reference = compute_reference(dataset, "tiny", progress=False, max_images=500)
    brightness = block_means(dataset).mean(axis=1)
    error = brightness.std() / np.sqrt(500)
    assert reference.statistics.mean.mean() == pytest.approx(brightness.mean(), abs=2 * error)
    assert abs(brightness[::2].mean() - brightness.mean()) > 10 * error  # what a stride would find


def test_labels_get_classifiers_that_survive_the_file(tiny_extractor, make_dataset, tmp_path):
    dataset = make_labelled(make_dataset(200))
    reference = compute_reference(dataset, "tiny", progress=False)
    (mode,) = reference.modes
    assert (mode.name, mode.values, mode.num_held_out) == ("light", ("dark", "bright"), 40)
    assert mode.accuracy == 1.0
    save_reference(tmp_path / "file.safetensors", reference)
    (loaded,) = load_reference(tmp_path / "file.safetensors").modes
    features = block_means(dataset)
    np.testing.assert_array_equal(loaded.classify(features), mode.classify(features))
    assert loaded.real_shares == mode.real_shares
    assert loaded.accuracy == mode.accuracy


def test_files_of_version_1_are_read_and_replaced_in_the_cache(
    tiny_extractor, make_dataset, written, tmp_path
):
    old = tmp_path / "cache" / "references"
    reference = get_reference(make_dataset(200), "tiny", tmp_path / "cache", progress=False)
    (path,) = old.iterdir()
    rewrite(path, format_version=1, real=None)
    assert load_reference(path).real is None
    again = get_reference(make_dataset(200), "tiny", tmp_path / "cache", progress=False)
    assert again.real is not None
    np.testing.assert_array_equal(again.statistics.mean, reference.statistics.mean)


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


def write_version_2(path, reference):
    """Write a file as version 2 had it: the number of measured images, and not which ones."""
    save_reference(path, reference)
    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        facts = json.loads(file.metadata()[METADATA_KEY])
    facts["format_version"] = 2
    facts["real"]["num_images"] = len(tensors.pop("real.measured_indices"))
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(facts)})


@pytest.mark.parametrize("max_images", [200, 50])
def test_a_cached_reference_of_other_images_is_replaced(
    tiny_extractor, make_dataset, tmp_path, max_images
):
    dataset = make_dataset(200)
    current = get_reference(dataset, "tiny", tmp_path, False, max_images=max_images)
    (path,) = (tmp_path / "references").iterdir()
    measured = np.arange(max_images) * (200 // max_images)
    real = dataclasses.replace(
        current.real, indices=measured[::2].copy(), measured_indices=measured
    )
    write_version_2(path, dataclasses.replace(current, real=real))
    again = get_reference(dataset, "tiny", tmp_path, False, max_images=max_images)
    assert np.array_equal(again.real.indices, current.real.indices)
    assert np.array_equal(load_reference(path).real.indices, current.real.indices)


def test_the_shipped_references_name_the_images_they_were_made_of():
    """Two are of version 2: the toon heads' is of every other image, the faces' of all."""
    folder = Path(__file__).parents[3] / "checkpoints" / "references"
    small, avatars, faces, digits, aged = (
        load_reference(path).real for path in sorted(folder.glob("*.safetensors"))
    )
    assert avatars.measured_indices.tolist() == list(range(0, 20_000, 2))
    assert faces.measured_indices.tolist() == list(range(10_000))
    # Of more images than are measured some are chosen at random.
    assert len(np.unique(digits.measured_indices)) == 10_000
    assert 59_000 < digits.measured_indices.max() < 60_000
    assert len(np.unique(small.measured_indices)) == 10_000
    assert 19_900 < small.measured_indices.max() < 20_000
    assert len(np.unique(aged.measured_indices)) == 10_000
    assert 23_000 < aged.measured_indices.max() < 23_317


def test_new_names_of_values_reach_a_cached_reference(tiny_extractor, make_dataset, tmp_path):
    dataset = make_labelled(make_dataset(200))
    before = get_reference(dataset, "tiny", tmp_path, progress=False)
    named = dataclasses.replace(dataset, label_columns=(LabelColumn("light", ("night", "day")),))
    found = get_reference(named, "tiny", tmp_path, progress=False)
    assert found.modes[0].values == ("night", "day")
    assert found.modes[0].accuracy == before.modes[0].accuracy
    (path,) = (tmp_path / "references").iterdir()
    assert load_reference(path).modes[0].values == ("night", "day")
