"""Who asks: the address behind trusted proxies, and the page's origin. Neither is ever logged."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web as http

from core.config import Config
from core.settings import is_loopback


def client_address(request: http.Request, config: Config) -> str:
    """Say the address that asks, for throttling: the last one that no trusted proxy has."""
    address = request.remote or ""
    if address not in config.trusted_proxies:
        return address
    for entry in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
        if entry.strip() and entry.strip() not in config.trusted_proxies:
            return entry.strip()
    return address


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
