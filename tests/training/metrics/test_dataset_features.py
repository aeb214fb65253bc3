"""Features of a data set: extracted once, kept by content, stoppable."""

import gc

import numpy as np
import pytest
import torch

from training.metrics import dataset_features
from training.metrics.dataset_features import extract_dataset_features, open_dataset_features


def get_all(dataset):
    return np.arange(len(dataset))


class StoppedError(Exception):
    pass


def forget():
    """Leave only the files, as after a restart."""
    dataset_features._recent.clear()
    gc.collect()


@pytest.fixture(autouse=True)
def _forget(short_collections):
    forget()


def compute_expected(dataset, extractor):
    images = torch.from_numpy(np.stack([dataset[i] for i in range(len(dataset))]))
    return extractor(images).numpy().astype(np.float16).astype(np.float32)


def test_features_are_the_extractors_in_half_precision(tmp_path, make_dataset, tiny_extractor):
    dataset = make_dataset(70)
    found = extract_dataset_features(dataset, get_all(dataset), tiny_extractor, tmp_path)
    assert found.indices.tolist() == list(range(70))
    assert np.array_equal(found.features, compute_expected(dataset, tiny_extractor))
    assert np.load(found.path).dtype == np.float16


def test_progress_is_told_after_every_batch(tmp_path, make_dataset, tiny_extractor):
    heard, dataset = [], make_dataset(70)
    extract_dataset_features(
        dataset, get_all(dataset), tiny_extractor, tmp_path,
        lambda done, total: heard.append((done, total)),
    )  # fmt: skip
    assert heard == [(32, 70), (64, 70), (70, 70)]


def test_a_second_time_reads_the_file(tmp_path, make_dataset, tiny_extractor):
    dataset = make_dataset(40)
    first = extract_dataset_features(dataset, get_all(dataset), tiny_extractor, tmp_path)
    expected, path = first.features, first.path
    del first
    forget()
    second = open_dataset_features(
        dataset, get_all(dataset), tiny_extractor.key, tiny_extractor.dim, tmp_path
    )
    assert second.is_done
    assert np.array_equal(second.features, expected)
    assert list(path.parent.iterdir()) == [path]


def test_stopping_leaves_no_file_and_who_comes_next_goes_on_there(
    tmp_path, make_dataset, tiny_extractor
):
    dataset = make_dataset(100)

    def stop(done, total):
        if done >= 64:
            raise StoppedError

    with pytest.raises(StoppedError):
        extract_dataset_features(dataset, get_all(dataset), tiny_extractor, tmp_path, stop)
    again = open_dataset_features(
        dataset, get_all(dataset), tiny_extractor.key, tiny_extractor.dim, tmp_path
    )
    assert again.num_done == 64
    assert not again.path.exists()
    assert extract_dataset_features(dataset, get_all(dataset), tiny_extractor, tmp_path) is again
    assert np.array_equal(again.features, compute_expected(dataset, tiny_extractor))


def test_other_images_choices_and_extractors_have_other_files(
    tmp_path, make_dataset, tiny_extractor
):
    everything = np.arange(20)
    opened = [
        open_dataset_features(
            make_dataset(20, seed), indices, key, tiny_extractor.dim, tmp_path
        ).path
        for seed, indices, key in (
            (0, everything, "tiny"),
            (1, everything, "tiny"),
            (0, everything, "other"),
            (0, everything[::2], "tiny"),
            (0, everything[1::2], "tiny"),
        )
    ]
    assert len(set(opened)) == 5


@pytest.mark.parametrize("damage", ["cut", "shape", "type", "infinite", "none"])
def test_a_damaged_file_is_written_again(tmp_path, make_dataset, tiny_extractor, damage):
    dataset = make_dataset(20)
    first = extract_dataset_features(dataset, get_all(dataset), tiny_extractor, tmp_path)
    expected, path = first.features, first.path
    del first
    forget()
    features = np.load(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "shape":
        np.save(path, features[:-1])
    elif damage == "type":
        np.save(path, features.astype(np.float32))
    elif damage == "infinite":
        features[3, 3] = np.inf
        np.save(path, features)
    opened = open_dataset_features(
        dataset, get_all(dataset), tiny_extractor.key, tiny_extractor.dim, tmp_path
    )
    assert opened.is_done is (damage == "none")
    again = extract_dataset_features(dataset, get_all(dataset), tiny_extractor, tmp_path)
    assert np.array_equal(again.features, expected)
    assert np.array_equal(np.load(path), expected.astype(np.float16))


def test_only_the_chosen_images_are_looked_at(tmp_path, make_dataset, tiny_extractor):
    dataset, chosen = make_dataset(25), np.array([3, 4, 11, 24])
    found = extract_dataset_features(dataset, chosen, tiny_extractor, tmp_path)
    assert found.indices.tolist() == [3, 4, 11, 24]
    expected = compute_expected(dataset, tiny_extractor)[chosen]
    assert np.array_equal(found.features, expected)
