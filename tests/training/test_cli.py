"""The runner of command lines: what becomes a sentence, and what keeps its traceback."""

import argparse
import errno

import pytest

from training.cli import run_command
from training.errors import ConfigError


def build_parser(run):
    parser = argparse.ArgumentParser()
    parser.set_defaults(run=run)
    return parser


def raise_(error):
    def run(args):
        raise error

    return build_parser(run)


def test_the_commands_status_is_returned(capsys):
    assert run_command(build_parser(lambda args: 7), []) == 7
    assert capsys.readouterr() == ("", "")


def test_an_expected_failure_is_one_sentence_and_status_2(capsys):
    assert run_command(raise_(ConfigError("Seed -1 is out of range.")), []) == 2
    assert capsys.readouterr() == ("", "error: Seed -1 is out of range.\n")


def test_an_interruption_has_its_own_status(capsys):
    assert run_command(raise_(KeyboardInterrupt()), []) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_explained(capsys, number):
    """A full quota is one, too."""
    full = OSError(number, "No space left on device")
    assert run_command(raise_(full), []) == 2
    assert "Free some and go on" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback():
    with pytest.raises(PermissionError):
        run_command(raise_(PermissionError(errno.EACCES, "denied")), [])
    with pytest.raises(ZeroDivisionError):
        run_command(raise_(ZeroDivisionError()), [])
