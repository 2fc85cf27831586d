from __future__ import annotations

import socket

import pytest

from core.errors import ConfigError
from web.listen import listen


def close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def test_localhost_is_both_loopback_addresses_on_one_port() -> None:
    sockets = listen(("127.0.0.1", "::1"), 0)
    try:
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert {one.getsockname()[0] for one in sockets} == {"127.0.0.1", "::1"}
    finally:
        close(sockets)


def test_the_same_address_named_twice_is_opened_once() -> None:
    sockets = listen(("127.0.0.1", "127.0.0.1"), 0)
    assert len(sockets) == 1
    close(sockets)


def test_an_address_that_is_not_here_is_passed_over_while_another_works() -> None:
    sockets = listen(("203.0.113.7", "127.0.0.1"), 0)
    assert [one.getsockname()[0] for one in sockets] == ["127.0.0.1"]
    close(sockets)
    with pytest.raises(ConfigError, match="TEDUH_HTTP_HOST"):
        listen(("203.0.113.7",), 0)


def test_a_port_in_use_is_told_with_what_to_set() -> None:
    (taken,) = listen(("127.0.0.1",), 0)
    with pytest.raises(ConfigError, match="set TEDUH_HTTP_PORT to a free one"):
        listen(("127.0.0.1",), taken.getsockname()[1])
    taken.close()


def test_a_name_that_nobody_knows_is_told() -> None:
    with pytest.raises(ConfigError, match="TEDUH_HTTP_HOST"):
        listen(("teduh.invalid",), 0)
