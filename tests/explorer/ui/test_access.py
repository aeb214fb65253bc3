"""Who can reach the page, by where it is served."""

from __future__ import annotations

import pytest

from explorer.ui.access import is_loopback, list_trusted_hosts, may_send_real_images


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("localhost", True),
        ("LocalHost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_only_loopback_addresses_are_out_of_reach(host: str, is_local: bool) -> None:
    """By themselves real images are sent where no other machine reaches the page."""
    assert is_loopback(host) is is_local
    assert may_send_real_images(None, host, is_shared=False) is is_local
    assert may_send_real_images(None, host, is_shared=True) is False


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("is_shared", [True, False])
def test_a_choice_decides_wherever_the_page_is_served(host: str, is_shared: bool) -> None:
    """--real-images and --no-real-images hold for any host."""
    assert may_send_real_images(True, host, is_shared) is True
    assert may_send_real_images(False, host, is_shared) is False


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("127.0.0.1", ["localhost", "127.0.0.1", "[::1]"]),
        ("::1", ["localhost", "127.0.0.1", "[::1]"]),
        ("[::1]", ["localhost", "127.0.0.1", "[::1]"]),
        ("192.168.1.5", ["localhost", "127.0.0.1", "[::1]", "192.168.1.5"]),
        ("lab.example.org", ["localhost", "127.0.0.1", "[::1]", "lab.example.org"]),
        ("0.0.0.0", None),
        ("::", None),
    ],
)
def test_a_server_is_called_by_its_host_or_by_loopback(
    host: str, trusted: list[str] | None
) -> None:
    """Names are written as in a Host header; those of a wildcard or public link are not known."""
    assert list_trusted_hosts(host, is_shared=False) == trusted
    assert list_trusted_hosts(host, is_shared=True) is None
