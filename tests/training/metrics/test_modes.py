"""Classifiers of known modes: Gaussian classes, whose best accuracy is known in closed form."""

import math
from dataclasses import replace

import numpy as np
import pytest

from training.datasets.types import LabelColumn
from training.errors import MetricError
from training.metrics.modes import DegradedFeatures, train_mode_classifiers

SIDE = LabelColumn("side", ("left", "right"))
PLACE = LabelColumn("place", ("a", "b", "c", "none"))


def draw_two_columns(count, seed=0):
    """Draw features (count, 6) on very different scales and labels of SIDE and PLACE.

    Features 0 and 1 tell the sides, features 2 to 4 the places, 5 never changes. "none" is rare.
    """
    generator = np.random.default_rng(seed)
    sides = generator.integers(0, 2, count)
    places = generator.choice(4, count, p=(0.35, 0.3, 0.3, 0.05))
    features = generator.normal(size=(count, 6))
    features[:, 0] += 2 * sides - 1
    features[np.arange(count), 2 + places % 3] += np.where(places < 3, 6, 0)
    features[:, 5] = 3
    features *= (1000, 1, 0.001, 1, 1, 1)
    features += (5000, 0, 0, 0, 0, 0)
    return features.astype(np.float32), np.stack([sides, places], axis=1)


def test_the_accuracy_is_that_of_the_best_possible_classifier():
    features, labels = draw_two_columns(8000)
    sides, places = train_mode_classifiers(features, labels, (SIDE, PLACE))
    # Two Gaussians 2 deviations apart are told apart with Phi(1).
    assert sides.accuracy == pytest.approx(0.5 * (1 + math.erf(1 / math.sqrt(2))), abs=0.025)
    assert places.accuracy > 0.97
    assert (sides.name, sides.values, sides.num_held_out) == ("side", ("left", "right"), 1600)


def test_classify_sees_new_images_as_it_saw_those_held_out():
    features, labels = draw_two_columns(8000)
    classifiers = train_mode_classifiers(features, labels, (SIDE, PLACE))
    new, truth = draw_two_columns(8000, seed=1)
    for column, classifier in enumerate(classifiers):
        seen = classifier.classify(new)
        assert (seen == truth[:, column]).mean() == pytest.approx(classifier.accuracy, abs=0.02)
        shares = np.bincount(seen, minlength=len(classifier.values)) / len(seen)
        assert shares == pytest.approx(classifier.real_shares, abs=0.03)


def test_a_rare_value_is_seen():
    features, labels = draw_two_columns(8000)
    places = train_mode_classifiers(features, labels, (SIDE, PLACE))[1]
    new, truth = draw_two_columns(8000, seed=1)
    rare = truth[:, 1] == 3
    assert (places.classify(new[rare]) == 3).mean() > 0.9


def test_training_twice_gives_the_same_weights():
    features, labels = draw_two_columns(500)
    first = train_mode_classifiers(features, labels, (SIDE, PLACE))
    second = train_mode_classifiers(features, labels, (SIDE, PLACE))
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.weight, b.weight)
        assert np.array_equal(a.bias, b.bias)
        assert (a.weight.dtype, a.weight.shape) == (np.float32, (len(a.values), 6))


def test_a_feature_that_never_changes_weighs_nothing():
    features, labels = draw_two_columns(500)
    (sides, _) = train_mode_classifiers(features, labels, (SIDE, PLACE))
    assert (sides.weight[:, 5] == 0).all()


def test_a_value_that_no_image_has_is_never_seen():
    features, labels = draw_two_columns(4000)
    wider = replace(SIDE, values=("left", "right", "middle"))
    (sides, _) = train_mode_classifiers(features, labels, (wider, PLACE))
    assert sides.real_shares[2] == 0
    assert sum(sides.real_shares) == pytest.approx(1)


def test_columns_of_one_or_too_many_values_are_left_out():
    features, labels = draw_two_columns(400)
    labels = np.stack([np.zeros(400, int), labels[:, 1], labels[:, 1]], axis=1)
    columns = (
        LabelColumn("one", ("only",)),
        LabelColumn("many", tuple(map(str, range(33)))),
        PLACE,
    )
    assert [c.name for c in train_mode_classifiers(features, labels, columns)] == ["place"]
    assert train_mode_classifiers(features, labels[:, :1], columns[:1]) == ()
    assert train_mode_classifiers(features[:19], labels[:19], columns) == ()


def test_degraded_images_teach_what_to_pass_over():
    features, labels = draw_two_columns(4000)
    shift = np.array([0, 0, 0, 0, 0, 9], np.float32)  # an artefact that no real image has
    features[:, 5] += 0.01 * np.sign(features[:, 0] - 5000)  # and a trace that tells the sides
    rows = np.arange(0, 4000, 2)
    degraded = DegradedFeatures(features[rows] + shift, rows)
    new, truth = draw_two_columns(4000, seed=1)
    accuracies = [
        (
            train_mode_classifiers(features, labels, (SIDE, PLACE), d)[0].classify(new + shift)
            == truth[:, 0]
        ).mean()
        for d in (None, degraded)
    ]
    assert accuracies[0] < 0.6
    assert accuracies[1] > 0.8


def test_degraded_versions_of_held_out_images_are_not_learned_from():
    features, labels = draw_two_columns(1000)
    plain = train_mode_classifiers(features, labels, (SIDE, PLACE))
    held_out = np.sort(np.random.default_rng(0).permutation(1000)[:200])
    degraded = DegradedFeatures(features[held_out] * 0, held_out)
    same = train_mode_classifiers(features, labels, (SIDE, PLACE), degraded)
    for a, b in zip(plain, same, strict=True):
        assert np.array_equal(a.weight, b.weight)


def test_labels_that_do_not_fit_are_refused():
    features, labels = draw_two_columns(100)
    with pytest.raises(MetricError, match=r"labels \(99, 2\) of 2 columns"):
        train_mode_classifiers(features, labels[:99], (SIDE, PLACE))
    with pytest.raises(MetricError, match="place go from 0 to 3, expected indices into its 2"):
        train_mode_classifiers(features, labels, (SIDE, replace(PLACE, values=("a", "b"))))
