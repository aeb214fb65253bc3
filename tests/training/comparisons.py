"""What two trainings are compared by: rows of metrics and nested states, bit for bit."""

import torch

from training.history import MEASURED_FIELDS, read_history


def read_rows(folder):
    """Read the metrics without what depends on the clock and the machine."""
    return [
        {key: value for key, value in row.items() if key not in MEASURED_FIELDS}
        for row in read_history(folder.metrics_path)
    ]


def assert_same(found, expected, where="state"):
    """Compare nested states bit for bit; what depends on the clock is left out."""
    if isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype, where
        # What does not apply is NaN in both.
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True, msg=where)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected.keys() - {"seconds", "config"}:
            assert_same(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, pair in enumerate(zip(found, expected, strict=True)):
            assert_same(*pair, f"{where}[{index}]")
    else:
        assert found == expected or (found != found and expected != expected), where
