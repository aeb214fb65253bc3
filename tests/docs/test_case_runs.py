"""What studies share: one case after another until a signal."""

import signal

import pytest

from docs.case_runs import StopError, run_each


def test_cases_run_in_order_until_all_are_done():
    done = []
    assert run_each(iter("abc"), done.append) == 0
    assert done == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("stop", "status"), [(StopError(signal.SIGTERM), 143), (KeyboardInterrupt(), 130)]
)
def test_a_signal_ends_the_work_and_is_the_exit_status(stop, status):
    done = []

    def run(case):
        if case == "b":
            raise stop
        done.append(case)

    assert run_each("abc", run) == status
    assert done == ["a"]
