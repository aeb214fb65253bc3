"""Jobs that take turns on one thread, which a consumer sees as ordinary iterators."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from explorer.priority import NICENESS, lower_priority
from explorer.worker import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Return a worker that is shut down afterwards."""
    worker = Worker("test-worker")
    yield worker
    worker.shut_down()


def count_to(number: int, log: list[str] | None = None, name: str = "") -> Iterator[int]:
    for value in range(number):
        if log is not None:
            log.append(f"{name}{value}")
        yield value


def read_niceness(thread_id: int) -> int:
    """Read a thread's niceness: field 19 of its stat line, counted behind its name."""
    line = Path(f"/proc/self/task/{thread_id}/stat").read_text()
    return int(line[line.rindex(")") + 2 :].split()[16])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")
def test_a_priority_that_is_lower_already_stays(worker: Worker) -> None:
    def lower_twice() -> int:
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, 19)
        lower_priority()
        return read_niceness(thread)

    assert worker.submit(lower_twice).result() == 19


def test_a_job_is_an_ordinary_iterator(worker: Worker) -> None:
    assert list(worker.run(lambda: count_to(5))) == [0, 1, 2, 3, 4]
    assert list(worker.run(lambda: iter("ab"))) == ["a", "b"]
    assert worker.num_jobs == 0


def test_jobs_run_on_one_thread_that_starts_with_the_first(worker: Worker) -> None:
    def name_thread() -> Iterator[str]:
        yield threading.current_thread().name

    assert not [t for t in threading.enumerate() if t.name.startswith("test-worker")]
    names = {next(worker.run(name_thread)) for _ in range(3)}
    assert names == {"test-worker_0"}


def test_jobs_take_turns(worker: Worker) -> None:
    log: list[str] = []
    gate = threading.Event()
    worker.submit(gate.wait)  # until both jobs are there
    consumers = [
        threading.Thread(target=list, args=(worker.run(lambda name=name: count_to(4, log, name)),))
        for name in "ab"
    ]
    for consumer in consumers:
        consumer.start()
    deadline = time.monotonic() + 60
    while worker._thread._work_queue.qsize() < 2:  # until both wait for their first turn
        if time.monotonic() > deadline:
            gate.set()
            pytest.fail("the jobs did not ask for their first turn")
        time.sleep(0.001)
    gate.set()
    for consumer in consumers:
        consumer.join()
    assert sorted(log) == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]
    # Two steps need nobody to take the values; later ones go to whose values are taken first.
    assert [sum(entry[0] == "a" for entry in log[:n]) for n in (2, 4)] == [1, 2]


def test_a_job_is_at_most_two_values_ahead(worker: Worker) -> None:
    log: list[str] = []
    values = worker.run(lambda: count_to(100, log))
    assert next(values) == 0
    worker.submit(lambda: None).result()  # whatever was queued before is done by now
    worker.submit(lambda: None).result()
    worker.submit(lambda: None).result()
    assert log == ["0", "1", "2"]


def test_an_error_comes_out_with_the_line_that_raised_it(worker: Worker) -> None:
    def fail() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("in the job")

    values = worker.run(fail)
    assert next(values) == 1
    with pytest.raises(ZeroDivisionError, match="in the job") as raised:
        next(values)
    names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert names[-1] == "fail"
    assert worker.num_jobs == 0


def test_an_error_before_the_first_step_comes_out_too(worker: Worker) -> None:
    def make() -> Iterator[int]:
        raise LookupError("nothing to iterate over")

    with pytest.raises(LookupError, match="nothing to iterate over"):
        next(worker.run(make))
    assert list(worker.run(lambda: count_to(1))) == [0]


def test_closing_stops_the_job_and_closes_its_iterator_on_the_worker(worker: Worker) -> None:
    closed_on: list[str] = []

    def work() -> Iterator[int]:
        try:
            yield from range(1_000_000)
        finally:
            closed_on.append(threading.current_thread().name)

    values = worker.run(work)
    assert next(values) == 0
    values.close()
    assert worker.num_jobs == 0
    worker.submit(lambda: None).result()
    worker.submit(lambda: None).result()
    assert closed_on == ["test-worker_0"]
    assert list(values) == []


def test_a_job_that_nobody_asks_never_starts(worker: Worker) -> None:
    log: list[str] = []
    worker.run(lambda: count_to(3, log)).close()
    worker.submit(lambda: None).result()
    assert log == []


def test_whoever_waits_at_the_end_is_told() -> None:
    worker = Worker()
    started, go_on = threading.Event(), threading.Event()

    def wait_for_it() -> Iterator[int]:
        yield 0
        started.set()
        go_on.wait()
        yield 1

    values = worker.run(wait_for_it)
    assert next(values) == 0
    started.wait()
    ending = threading.Thread(target=worker.shut_down)
    ending.start()
    go_on.set()
    ending.join()
    with pytest.raises(RuntimeError):
        list(values)
    with pytest.raises(RuntimeError):
        next(worker.run(lambda: count_to(1)))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")
def test_the_thread_and_those_it_starts_have_low_priority(worker: Worker) -> None:
    def convolve() -> int:
        torch.set_num_threads(2)
        convolution = torch.nn.Conv2d(16, 16, 3)
        with torch.inference_mode():
            convolution(torch.zeros(8, 16, 64, 64))
        return threading.get_native_id()

    def list_threads() -> set[int]:
        return {int(path.name) for path in Path("/proc/self/task").iterdir()}

    before, num_threads = list_threads(), torch.get_num_threads()
    try:
        thread = worker.submit(convolve).result()
    finally:
        torch.set_num_threads(num_threads)
    started = list_threads() - before
    assert thread in started
    assert {read_niceness(one) for one in started} == {max(NICENESS, os.nice(0))}
    assert read_niceness(threading.get_native_id()) == os.nice(0)
