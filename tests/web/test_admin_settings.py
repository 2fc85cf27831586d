"""``/admin/settings``: each setting as an operator would write it."""

from __future__ import annotations

import pytest

from core.config import read_config
from web.pages.admin_settings import in_force


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("TEDUH_MEDIA_ADDRESSES", "203.0.113.7"),
        ("TEDUH_MEDIA_ADDRESSES", "203.0.113.7:3478"),
        ("TEDUH_MEDIA_ADDRESSES", "2001:db8::1"),
        ("TEDUH_MEDIA_ADDRESSES", "[2001:db8::1]:3478"),
        ("TEDUH_KEYS", "/srv/keys"),
        ("TEDUH_KEYS", "unix:/run/teduh-keyd/socket"),
        ("TEDUH_KEYS", "vault+https://vault.example.org:8200/transit"),
        ("TEDUH_QUALITY_FAIR", "3,300,3.6"),
    ],
)
def test_a_setting_is_shown_as_it_is_set(variable: str, text: str) -> None:
    shown = {one.variable: one.value for one in in_force(read_config({variable: text}))}
    assert shown[variable] == text
