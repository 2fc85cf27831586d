"""Whose line somebody waits in."""

from __future__ import annotations

import pytest

from web.client import network_of


@pytest.mark.parametrize(
    ("address", "asker"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_one_ipv6_network_is_one_asker(address: str, asker: str) -> None:
    assert network_of(address) == asker
