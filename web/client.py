"""Who asks: the address behind trusted proxies, and the page's origin. Neither is ever logged."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web as http

from core.config import Config
from core.shapes import is_loopback

HOST_BITS: Final = 64


def client_address(request: http.Request, config: Config) -> str:
    """Say who asks, for throttling: the last address that no trusted proxy has, of IPv6 its network."""
    return network_of(_address(request, config))


def network_of(address: str) -> str:
    """Say what counts as one asker: an IPv4 address, or the /64 that one IPv6 host has to itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    network = ipaddress.IPv6Address(int(parsed) >> HOST_BITS << HOST_BITS)
    return f"{network}/{128 - HOST_BITS}"


def _address(request: http.Request, config: Config) -> str:
    address = request.remote or ""
    if address not in config.trusted_proxies:
        return address
    for entry in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
        if entry.strip() and entry.strip() not in config.trusted_proxies:
            return entry.strip()
    return address


def client_network(request: http.Request, config: Config) -> str:
    """Say the address that asks, for throttling; of IPv6 the /64, which is one household."""
    address = client_address(request, config)
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def from_loopback(request: http.Request) -> bool:
    """Whether the asker sits on this machine, and is no proxy that speaks for somebody else."""
    forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"))
    try:
        return not forwarded and ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def own_origins(config: Config) -> frozenset[str]:
    """Name the origins of our own pages: ``TEDUH_PUBLIC_URL``, and with it all names of loopback."""
    if not is_loopback(config.public_host):
        return frozenset({config.public_url})
    parts = urlsplit(config.public_url)
    port = "" if parts.port is None else f":{parts.port}"
    names = {f"{parts.scheme}://{host}{port}" for host in ("localhost", "127.0.0.1", "[::1]")}
    return frozenset(names | {config.public_url})
