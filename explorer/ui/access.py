"""Who can reach the page, and what follows from it."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a server that listens on ``host``."""
    if host.lower() == "localhost":
        return True
    address = _read_address(host)
    return address is not None and address.is_loopback


def may_send_real_images(choice: bool | None, host: str, is_shared: bool) -> bool:
    """Say whether real images may leave the server: as chosen, else if nobody else can get them."""
    return is_loopback(host) and not is_shared if choice is None else choice


def _read_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an IP address, None if the host is a name."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
