"""Distances among real images, against SciPy and counts by hand."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from training.errors import MetricError
from training.metrics.manifold import find_radii
from training.metrics.neighbours import iter_distance_blocks
from training.metrics.real_features import (
    compute_pair_quantiles,
    measure_pair_distances,
    measure_real_features,
)


def make_features(count, dim=20, seed=0, offset=0.0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((count, dim)).astype(np.float32) + np.float32(offset)


@pytest.mark.parametrize("block_rows", [1, 7, 100])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_blocks_have_the_distances_of_scipy(block_rows, offset):
    rows, columns = make_features(30, seed=1, offset=offset), make_features(40, offset=offset)
    found = np.empty((30, 40), dtype=np.float32)
    for block, distances in iter_distance_blocks(rows, columns, block_rows):
        found[block] = distances
    np.testing.assert_allclose(found, cdist(rows, columns), rtol=1e-4)


def test_equal_features_are_at_distance_zero_not_nan():
    features = make_features(5)
    ((_, distances),) = iter_distance_blocks(features, features)
    assert np.all(np.diag(distances) < 1e-2)
    assert np.isfinite(distances).all()


def test_pairs_are_counted_once():
    features = make_features(50)
    np.testing.assert_allclose(
        np.sort(measure_pair_distances(features)), np.sort(pdist(features)), rtol=1e-4
    )


def test_the_nearest_other_image_is_not_the_image_itself():
    features = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0], [100.0, 0.0]])
    np.testing.assert_allclose(find_radii(features, 1), [5, 1, 1, np.hypot(97, 4)], rtol=1e-5)


def test_quantiles_need_ten_pairs_behind_them():
    distances = np.arange(1, 1001, dtype=np.float32)
    quantiles = compute_pair_quantiles(distances)
    assert [share for share, _ in quantiles] == [1e-2, 0.5]
    assert quantiles[0][1] == pytest.approx(1 + 9.99)
    assert compute_pair_quantiles(distances[:19]) == ()


def test_what_is_kept_is_half_of_the_features_and_the_distances_of_all():
    features = make_features(64)
    real = measure_real_features(features, np.arange(64) * 3, max_kept=32)
    assert len(set(real.indices.tolist())) == 32
    np.testing.assert_allclose(real.features, features[real.indices // 3], rtol=1e-3, atol=1e-4)
    assert real.measured_indices.tolist() == [index * 3 for index in range(64)]
    assert real.num_images == 64
    assert real.mean_pair_distance == pytest.approx(pdist(features).mean(), rel=1e-5)
    nearest = np.sort(find_radii(features, 1))
    assert real.nearest_distances[[0, 100]] == pytest.approx([nearest[0], nearest[-1]])
    assert real.nearest_distances[50] == pytest.approx(np.median(nearest), rel=1e-5)


@pytest.mark.parametrize(("count", "num_indices"), [(1, 1), (10, 9)])
def test_features_that_do_not_fit_are_refused(count, num_indices):
    with pytest.raises(MetricError, match="Real features: found"):
        measure_real_features(make_features(count), np.arange(num_indices))
