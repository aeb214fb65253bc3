"""Threads of linear algebra."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from training.cores import on_one_blas_thread


def count_blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads():
    """Begin with two threads, also where there is one core and one would be no change."""
    with threadpool_limits(2, "blas"):
        yield


def test_linear_algebra_runs_on_one_thread_meanwhile_and_then_as_before():
    assert count_blas_threads() == {2}

    @on_one_blas_thread
    def multiply(matrix, power=2):
        """Multiply."""
        return np.linalg.matrix_power(matrix, power), count_blas_threads()

    product, meanwhile = multiply(np.eye(3) * 2, power=3)
    assert product.tolist() == (np.eye(3) * 8).tolist()
    assert meanwhile == {1}
    assert count_blas_threads() == {2}
    assert (multiply.__name__, multiply.__doc__) == ("multiply", "Multiply.")


def test_threads_come_back_after_an_error():
    @on_one_blas_thread
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert count_blas_threads() == {2}
