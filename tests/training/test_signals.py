"""Stopping: what is noted of a signal, and which one insists."""

import os
import signal
import sys

import pytest

from training.signals import StopSignal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX systems")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_only_ctrl_c_insists(first, capsys):
    before = [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]
    with StopSignal() as stop:
        assert not stop.is_set
        os.kill(os.getpid(), first)
        assert stop.received == first
        assert f"{first.name}: finishing this step" in capsys.readouterr().err
        os.kill(os.getpid(), signal.SIGTERM)  # a scheduler and a launcher may both send it
        assert stop.received == first
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)] == before
