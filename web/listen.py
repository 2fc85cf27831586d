"""The sockets that the HTTP server listens on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from core.errors import ConfigError

NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def listen(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Open a socket for each address of each host, all on one port; 0 chooses a free one.

    An address that this machine does not have (``localhost`` without IPv6) is passed over while
    another one works. Raises ``ConfigError`` with a sentence otherwise.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(hosts):
            chosen = port or (opened[0].getsockname()[1] if opened else 0)
            try:
                opened.append(_open(family, address, chosen))
            except OSError as error:
                if error.errno not in NOT_HERE:
                    raise
    except OSError as error:
        for one in opened:
            one.close()
        raise ConfigError(_sentence(error, port)) from None
    if not opened:
        raise ConfigError("This machine has none of the addresses in TEDUH_HTTP_HOST.")
    return opened


def _addresses(hosts: Sequence[str]) -> list[tuple[socket.AddressFamily, str]]:
    found: list[tuple[socket.AddressFamily, str]] = []
    for host in hosts:
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except (socket.gaierror, UnicodeError):
            raise ConfigError("TEDUH_HTTP_HOST holds a name that is not known here.") from None
        for family, _, _, _, address in answers:
            if (family, str(address[0])) not in found:
                found.append((family, str(address[0])))
    return found


def _open(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(512)
        opened.setblocking(False)  # noqa: FBT003  # the name of the argument is not ours
    except OSError:
        opened.close()
        raise
    return opened


def _sentence(error: OSError, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} is in use by another program: set TEDUH_HTTP_PORT to a free one."
        case errno.EACCES:
            return (
                f"Port {port} needs rights that this process does not have: set TEDUH_HTTP_PORT above 1023."
            )
        case _:
            return f"The HTTP server cannot listen: {error.strerror}."
