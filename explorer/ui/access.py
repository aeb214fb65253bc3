"""Who can reach the page, and what follows from it."""

import ipaddress
from pathlib import Path

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")  # as browsers write them


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a server that listens on ``host``."""
    if host.lower() == "localhost":
        return True
    address = _read_address(host)
    return address is not None and address.is_loopback


def is_private(host: str, is_shared: bool) -> bool:
    """Say whether the page can be seen from this machine alone."""
    return is_loopback(host) and not is_shared


def may_send_real_images(choice: bool | None, is_private: bool) -> bool:
    """Say whether real images may leave the server: as chosen, else if nobody else can get them."""
    return is_private if choice is None else choice


def name_folder(folder: Path, is_private: bool) -> Path:
    """Name a folder on the page: as seen from the current one if it is below, else in full.

    Where others see the page they get the last part alone.
    """
    whole, here = folder.resolve(), Path.cwd()
    if whole.is_relative_to(here):
        return whole.relative_to(here)
    return whole if is_private else Path(whole.name)


def list_trusted_hosts(host: str, is_shared: bool) -> list[str] | None:
    """List the names by which an honest browser calls a server, None if they cannot be known.

    A site that lets its own name lead to this machine (DNS rebinding) calls it by another one.
    Under a wildcard address or a public link a server has names that it does not know.
    """
    address = _read_address(host)
    if is_shared or (address is not None and address.is_unspecified):
        return None
    is_bare_ipv6 = address is not None and address.version == 6 and not host.startswith("[")
    return list(dict.fromkeys([*LOOPBACK_NAMES, f"[{host}]" if is_bare_ipv6 else host]))


def _read_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an IP address, None if the host is a name."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
