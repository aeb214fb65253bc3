"""State files: the last two, whole or known to be damaged, and those of earlier versions."""

import pytest
import torch

from training.errors import CheckpointError
from training.states import StateStore


@pytest.fixture
def store(tmp_path):
    """Return a store with the states of steps 100, 200 and 300 saved one after another."""
    store = StateStore(tmp_path)
    for step in (100, 200, 300):
        store.save(step, build_state(step))
    return store


def build_state(step):
    return {"step": step, "engine": {"weight": torch.arange(500.0) + step, "rates": [0.5, 0.25]}}


def cut_off(content):
    return content[:-1]


def flip_a_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def flip_a_bit_of_the_checksum(content):
    return content[:30] + bytes([content[30] ^ 1]) + content[31:]


def test_the_last_two_are_kept_and_come_back(store):
    names = sorted(path.name for path in store.folder.iterdir())
    assert names == ["state-0000200.pt", "state-0000300.pt"]
    state = store.load()
    assert state["step"] == 300
    assert torch.equal(state["engine"]["weight"], torch.arange(500.0) + 300)
    assert state["engine"]["rates"] == [0.5, 0.25]


@pytest.mark.parametrize(
    "damage",
    [
        cut_off,
        flip_a_bit,
        flip_a_bit_of_the_checksum,
        lambda content: b"",
        lambda content: content[:40],
        lambda content: bytes(len(content)),
    ],
    ids=["cut off", "bit", "checksum", "empty", "first bytes only", "zeros"],
)
def test_a_damaged_newest_state_gives_way_to_the_one_before_and_says_so(damage, store, capsys):
    path = store.get_path(300)
    path.write_bytes(damage(path.read_bytes()))
    assert store.load()["step"] == 200
    warning = capsys.readouterr().err
    assert warning.startswith("warning: ")
    assert "state-0000300.pt is damaged" in warning
    assert "going on from state-0000200.pt, step 200." in warning
    # The run goes on: its next save takes the place of the damaged one.
    store.save(250, build_state(250))
    names = sorted(path.name for path in store.folder.iterdir())
    assert names == ["state-0000200.pt", "state-0000250.pt"]


def test_two_damaged_states_end_with_one_sentence_that_names_both(store):
    for step in (200, 300):
        store.get_path(step).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"state-0000300\.pt is damaged .*state-0000200\.pt"):
        store.load()


def test_no_state_is_one_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="holds no saved state"):
        StateStore(tmp_path).load()


def test_a_state_of_the_first_version_is_read_and_replaced_in_time(tmp_path):
    store = StateStore(tmp_path)
    torch.save(build_state(40), tmp_path / "state.pt")
    assert store.load()["step"] == 40
    store.save(50, build_state(50))
    assert store.load()["step"] == 50
    assert (tmp_path / "state.pt").exists()  # it is the one before
    store.save(60, build_state(60))
    assert not (tmp_path / "state.pt").exists()


def test_a_damaged_state_of_the_first_version_is_named(tmp_path):
    torch.save(build_state(40), tmp_path / "state.pt")
    content = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(content[:1000])
    with pytest.raises(CheckpointError, match=r"state\.pt is damaged"):
        StateStore(tmp_path).load()


def test_a_state_of_a_newer_version_is_not_taken_for_damaged(store):
    path = store.get_path(300)
    path.write_bytes(path.read_bytes().replace(b"-state 2 ", b"-state 3 ", 1))
    with pytest.raises(CheckpointError, match="has format version 3, this program reads up to 2"):
        store.load()


def test_no_code_in_a_state_is_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"step": 1, "engine": Harmful()}, tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match=r"state\.pt is damaged \(UnpicklingError\)"):
        StateStore(tmp_path).load()
