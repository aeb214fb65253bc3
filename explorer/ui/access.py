"""Who can reach the page, and what follows from it."""

import ipaddress

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")  # as browsers write them


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a server that listens on ``host``."""
    if host.lower() == "localhost":
        return True
    address = _read_address(host)
    return address is not None and address.is_loopback


def may_send_real_images(choice: bool | None, host: str, is_shared: bool) -> bool:
    """Say whether real images may leave the server: as chosen, else if nobody else can get them."""
    return is_loopback(host) and not is_shared if choice is None else choice


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
