from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from core import addresses
from core.addresses import Interface, Reach
from core.errors import ConfigError
from core.shapes import MediaAddress

MACHINE = (
    Interface("lo", "127.0.0.1"),
    Interface("lo", "::1"),
    Interface("eth0", "192.168.1.20"),
    Interface("eth0", "8.8.4.4"),
    Interface("eth0", "2600::1"),
    Interface("eth0", "fd12::20"),
    Interface("eth0", "fe80::1"),
    Interface("wlan0", "169.254.7.7"),
    Interface("wlan0", "10.1.2.3"),
    Interface("docker0", "172.17.0.1"),
    Interface("br-12ab", "172.18.0.1"),
    Interface("veth99", "172.19.0.1"),
    Interface("virbr0", "192.168.122.1"),
    Interface("cni0", "10.88.0.1"),
    Interface("podman1", "10.89.0.1"),
)
LAN = ("192.168.1.20", "10.1.2.3", "fd12::20")
PUBLIC = ("8.8.4.4", "2600::1")
LOOPBACK = ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("localhost", Reach.LOOPBACK),
        ("room.localhost", Reach.LOOPBACK),
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.9.9.9", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("192.168.1.20", Reach.LAN),
        ("10.0.0.1", Reach.LAN),
        ("100.64.0.9", Reach.LAN),
        ("fd12::20", Reach.LAN),
        ("clinic.local", Reach.LAN),
        ("clinic.home.arpa", Reach.LAN),
        ("clinic", Reach.LAN),
        ("8.8.4.4", Reach.PUBLIC),
        ("2600::1", Reach.PUBLIC),
        ("teduh.example.org", Reach.PUBLIC),
        ("localhost.example.org", Reach.PUBLIC),
    ],
)
def test_the_public_url_says_how_far_it_reaches(host: str, reach: Reach) -> None:
    assert addresses.reach_of(host) is reach


@pytest.mark.parametrize(
    ("reach", "told"),
    [
        (Reach.LOOPBACK, {*LAN, *PUBLIC, *LOOPBACK}),
        (Reach.LAN, {*LAN}),
        (Reach.PUBLIC, {*PUBLIC}),
    ],
)
def test_browsers_are_told_what_they_can_reach(reach: Reach, told: set[str]) -> None:
    found = addresses.advertised((), reach=reach, interfaces=MACHINE, port=3478)
    assert {address for address, _ in found} == told
    assert {port for _, port in found} == {3478}
    versions = [":" in address for address, _ in found if address not in LOOPBACK]
    assert versions == sorted(versions)


def test_what_the_operator_says_is_told_as_it_is() -> None:
    configured = (MediaAddress("203.0.113.7"), MediaAddress("2001:db8::1", 4000), MediaAddress("172.17.0.1"))
    for reach in Reach:
        found = addresses.advertised(configured, reach=reach, interfaces=MACHINE, port=3478)
        assert found == (("203.0.113.7", 3478), ("2001:db8::1", 4000), ("172.17.0.1", 3478))


def test_sockets_are_bound_at_loopback_and_at_our_own_addresses() -> None:
    assert set(addresses.bound((), MACHINE)) == {*LOOPBACK, *LAN, *PUBLIC}


def test_an_address_that_is_named_is_bound_if_it_is_here() -> None:
    configured = (MediaAddress("172.17.0.1"), MediaAddress("203.0.113.7"))
    assert set(addresses.bound(configured, MACHINE)) == {*LOOPBACK, *LAN, *PUBLIC, "172.17.0.1"}


def test_one_address_on_two_interfaces_is_bound_once() -> None:
    twice = (Interface("eth0", "10.0.0.1"), Interface("eth1", "10.0.0.1"))
    assert addresses.bound((), twice) == ("10.0.0.1",)


def test_a_container_without_addresses_does_not_start() -> None:
    with pytest.raises(ConfigError, match="set TEDUH_MEDIA_ADDRESSES to the address"):
        addresses.require((), [("10.0.0.1", 3478)], container=True)
    addresses.require((MediaAddress("203.0.113.7"),), [("203.0.113.7", 3478)], container=True)
    addresses.require((), [("10.0.0.1", 3478)], container=False)


def test_a_public_server_without_a_public_address_does_not_start() -> None:
    with pytest.raises(ConfigError, match="set TEDUH_MEDIA_ADDRESSES to the public address"):
        addresses.require((), [], container=False)


def test_a_container_is_known_by_its_marks(tmp_path: Path) -> None:
    mark = tmp_path / ".dockerenv"
    assert not addresses.in_container([mark])
    mark.touch()
    assert addresses.in_container([tmp_path / ".containerenv", mark])


def test_this_machine_has_loopback() -> None:
    found = addresses.local_interfaces()
    assert "127.0.0.1" in {interface.address for interface in found}
    assert all(ipaddress.ip_address(interface.address) for interface in found)
