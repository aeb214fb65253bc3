"""Which reference statistics are found, taken from the cache, or made anew."""

import dataclasses

import numpy as np
import pytest

from tests.training.metrics.references import block_means, make_labelled, rewrite, write_version_2
from training.datasets import ImageDataset
from training.datasets.types import LabelColumn
from training.errors import MetricError
from training.metrics.reference import (
    compute_reference,
    find_reference,
    get_reference,
    load_reference,
    save_reference,
)


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


def relabel(dataset, *values):
    """Call the dark images by the first value and the bright ones by the second, in sorted order.

    So that names which sort otherwise turn the indices around, as those of a labels.csv do.
    """
    ordered = tuple(sorted(values))
    indices = np.array([ordered.index(values[row]) for row in dataset.labels[:, 0]])[:, None]
    columns = (LabelColumn("light", ordered),)
    return dataclasses.replace(dataset, labels=indices, label_columns=columns)


def test_labels_that_came_later_get_their_classifiers(tiny_extractor, make_dataset, tmp_path):
    """The reference of images without labels learns them, and loses them as they are taken away."""
    labelled = make_labelled(make_dataset(200))
    plain = dataclasses.replace(labelled, labels=None, label_columns=())
    before = get_reference(plain, "tiny", tmp_path, progress=False)
    assert before.modes == ()
    found = get_reference(labelled, "tiny", tmp_path, progress=False)
    (mode,) = found.modes
    assert (mode.values, mode.accuracy) == (("dark", "bright"), 1.0)
    assert (mode.classify(block_means(labelled)) == labelled.labels[:, 0]).mean() > 0.99
    assert np.array_equal(found.statistics.covariance, before.statistics.covariance)
    (path,) = (tmp_path / "references").iterdir()
    assert load_reference(path).dataset == labelled.describe()
    assert get_reference(plain, "tiny", tmp_path, progress=False).modes == ()


def test_labels_that_cannot_be_read_for_once_leave_the_reference_as_it_is(
    tiny_extractor, make_dataset, tmp_path
):
    labelled = make_labelled(make_dataset(200))
    before = get_reference(labelled, "tiny", tmp_path, progress=False)
    problem = dataclasses.replace(labelled, labels=None, label_columns=(), label_problem="a typo")
    found = get_reference(problem, "tiny", tmp_path, progress=False)
    assert found.dataset == before.dataset
    assert [mode.values for mode in found.modes] == [("dark", "bright")]


def test_other_labels_are_learned_and_not_called_by_position(
    tiny_extractor, make_dataset, tmp_path
):
    """Dark and bright become adark and zbright, which sort the other way round."""
    dataset = make_labelled(make_dataset(200))
    get_reference(relabel(dataset, "dark", "bright"), "tiny", tmp_path, progress=False)
    renamed = relabel(dataset, "adark", "zbright")
    (mode,) = get_reference(renamed, "tiny", tmp_path, progress=False).modes
    assert mode.values == ("adark", "zbright")
    agreement = (mode.classify(block_means(dataset)) == renamed.labels[:, 0]).mean()
    assert agreement > 0.99


def test_finding_prefers_the_data_sets_own_labels(tiny_extractor, make_dataset, tmp_path):
    """Statistics of other labels, though of more images or in an earlier folder, come last."""
    dataset = make_labelled(make_dataset(100))
    plain = dataclasses.replace(dataset, labels=None, label_columns=())
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder, name, data, count in (
        (folders[0], "plain", plain, 100),
        (folders[1], "own", dataset, 60),
        (folders[1], "plain", plain, 90),
    ):
        reference = compute_reference(data, "tiny", False, max_images=count)
        save_reference(folder / f"{name}.safetensors", reference)

    def find(facts, *places):
        return find_reference(facts, "tiny", places).statistics.num_samples

    assert find(dataset.describe(), *folders) == 60
    assert find(dataset.describe(), folders[0]) == 100  # of other labels, and the only one
    assert find(plain.describe(), *folders) == 100  # asks for no label, so all have them
    assert find(plain.describe(), folders[1]) == 90
    rewrite(folders[0] / "plain.safetensors", dataset=plain.describe() | {"label_fingerprints": 0})
    assert find(dataset.describe(), *folders) == 100  # does not say, as files of old


def test_new_names_of_values_reach_a_cached_reference(tiny_extractor, make_dataset, tmp_path):
    dataset = make_labelled(make_dataset(200))
    before = get_reference(dataset, "tiny", tmp_path, progress=False)
    named = dataclasses.replace(dataset, label_columns=(LabelColumn("light", ("night", "day")),))
    found = get_reference(named, "tiny", tmp_path, progress=False)
    assert found.modes[0].values == ("night", "day")
    assert found.modes[0].accuracy == before.modes[0].accuracy
    (path,) = (tmp_path / "references").iterdir()
    assert load_reference(path).modes[0].values == ("night", "day")
