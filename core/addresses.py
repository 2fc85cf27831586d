"""Which addresses the media port is bound to, and which ones browsers are told.

The rule is pure; ``local_interfaces`` reads the machine. Browsers are told, unless
``TEDUH_MEDIA_ADDRESSES`` says otherwise: loopback and the machine's own addresses when
``TEDUH_PUBLIC_URL`` is loopback, its LAN addresses when that is one, else public ones only; never
link-local, container or bridge addresses. This file owns ifaddr.
"""

from __future__ import annotations

import enum
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ifaddr

from core.errors import ConfigError
from core.shapes import MediaAddress, is_loopback

INNER_INTERFACES = (
    "docker",
    "br-",
    "veth",
    "cni",
    "virbr",
    "podman",
    "lxc",
    "lxdbr",
    "flannel",
    "cali",
    "kube",
    "vmnet",
    "vboxnet",
)
LAN_SUFFIXES = (".local", ".lan", ".home", ".home.arpa", ".internal")
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


class Reach(enum.Enum):
    """How far the public URL reaches, and so which browsers come."""

    LOOPBACK = "loopback"
    LAN = "lan"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Interface:
    """One address of one network interface."""

    name: str
    address: str


def reach_of(host: str) -> Reach:
    """Say how far a host of ``TEDUH_PUBLIC_URL`` reaches, from how it is written; no look-up."""
    if is_loopback(host):
        return Reach.LOOPBACK
    try:
        return Reach.PUBLIC if ipaddress.ip_address(host).is_global else Reach.LAN
    except ValueError:
        lan = "." not in host or host.lower().endswith(LAN_SUFFIXES)
        return Reach.LAN if lan else Reach.PUBLIC


def usable(interfaces: Iterable[Interface]) -> tuple[str, ...]:
    """Keep addresses that media can come in on: not link-local, not those of containers and bridges."""
    found: list[str] = []
    for interface in interfaces:
        address = ipaddress.ip_address(interface.address)
        outer = not interface.name.lower().startswith(INNER_INTERFACES)
        reachable = not (address.is_link_local or address.is_multicast or address.is_unspecified)
        if outer and reachable and str(address) not in found:
            found.append(str(address))
    return tuple(found)


def bound(configured: Sequence[MediaAddress], interfaces: Sequence[Interface]) -> tuple[str, ...]:
    """Say which local addresses get a socket each: loopback, our own, and any that is configured."""
    local = {str(ipaddress.ip_address(interface.address)) for interface in interfaces}
    named = (entry.address for entry in configured if entry.address in local)
    return tuple(dict.fromkeys((*usable(interfaces), *named)))


def advertised(
    configured: Sequence[MediaAddress],
    *,
    reach: Reach,
    interfaces: Sequence[Interface],
    port: int,
) -> tuple[tuple[str, int], ...]:
    """Say which addresses browsers are told, IPv4 first. May be empty: see ``require``."""
    if configured:
        return tuple((entry.address, entry.port or port) for entry in configured)
    chosen = [address for address in usable(interfaces) if _suits(address, reach)]
    chosen.sort(key=lambda address: (ipaddress.ip_address(address).is_loopback, ":" in address))
    return tuple((address, port) for address in chosen)


def _suits(text: str, reach: Reach) -> bool:
    address = ipaddress.ip_address(text)
    match reach:
        case Reach.LOOPBACK:
            return True
        case Reach.LAN:
            return not address.is_loopback and not address.is_global
        case Reach.PUBLIC:
            return address.is_global


def require(configured: Sequence[MediaAddress], found: Sequence[object], *, container: bool) -> None:
    """Stop a start that could never carry media, with a sentence that says what to set."""
    if configured:
        return
    if container:
        raise ConfigError(
            "This is a container, and its own addresses cannot be reached from outside: set "
            "TEDUH_MEDIA_ADDRESSES to the address (or address:port) of the host that browsers reach, "
            "for example TEDUH_MEDIA_ADDRESSES=127.0.0.1 to try it on this machine."
        )
    if not found:
        raise ConfigError(
            "This machine has no address of the kind that TEDUH_PUBLIC_URL promises: set "
            "TEDUH_MEDIA_ADDRESSES to the public address (or address:port) that reaches the media port."
        )


def in_container(marks: Iterable[Path] = CONTAINER_MARKS) -> bool:
    """Whether this process looks like one in a container."""
    return any(mark.exists() for mark in marks)


def local_interfaces() -> tuple[Interface, ...]:
    """Read the addresses of all interfaces, those that can be bound now.

    An IPv6 address cannot while the kernel still asks whether it is taken (RFC 4862, 5.4).
    """
    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            address = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            found.append(Interface(adapter.name, address.partition("%")[0]))
    return tuple(interface for interface in found if _can_be_bound(interface.address))


def _can_be_bound(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((address, 0))
    except OSError:
        return False
    return True
