"""A device in a namespace of its own meets what the model says, and leaves one network for another."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.netem.model import CLEAN, CUT, Conditions
from tests.netem.namespaces import WIFI, Roaming

# Sends numbered datagrams and says, for each that came back, its number and how long it was away in ms.
PING = """
import json, select, socket, sys, time
address, port, packets, every_s, size = sys.argv[1], *map(float, sys.argv[2:])
away = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
away.connect((address, int(port)))
sent, back, number = {}, [], 0
begun = time.monotonic()
until = begun + packets * every_s + 0.5
while (now := time.monotonic()) < until:
    if number < packets and now >= begun + number * every_s:
        sent[number] = now
        try:
            away.send(str(number).encode().ljust(int(size)))
        except OSError:
            pass
        number += 1
    if select.select([away], [], [], every_s / 4)[0]:
        try:
            came = int(away.recv(2048))
        except OSError:
            continue
        back.append([came, 1000 * (time.monotonic() - sent[came])])
print(json.dumps(back))
"""


@pytest.fixture(scope="module")
def roaming() -> Iterator[Roaming]:
    with Roaming() as made:
        yield made


@pytest.fixture(scope="module")
def port(roaming: Roaming) -> Iterator[int]:
    """The port of somebody who sends everything back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        echo.bind((roaming.server, 0))

        def answer() -> None:
            while True:
                data, sender = echo.recvfrom(2048)
                if not data:
                    return
                echo.sendto(data, sender)

        thread = threading.Thread(target=answer)
        thread.start()
        yield echo.getsockname()[1]
        echo.sendto(b"", echo.getsockname())
        thread.join()


def ping(
    roaming: Roaming, port: int, *, packets: int = 40, every_s: float = 0.01, size: int = 100
) -> list[tuple[int, float]]:
    words = [roaming.server, port, packets, every_s, size]
    done = subprocess.run(
        ["ip", "netns", "exec", roaming.name, sys.executable, "-c", PING, *map(str, words)],
        check=True,
        capture_output=True,
    )
    return [(number, away_ms) for number, away_ms in json.loads(done.stdout)]


def test_a_clean_wire_brings_everything_in_order_and_soon(roaming: Roaming, port: int) -> None:
    roaming.wires[WIFI].heal()
    came = ping(roaming, port)
    assert [number for number, _ in came] == list(range(40))
    assert sorted(away_ms for _, away_ms in came)[20] < 60


def test_delay_loss_and_rate_are_what_was_asked_for(roaming: Roaming, port: int) -> None:
    wire = roaming.wires[WIFI]
    wire.set(Conditions(delay_ms=60), Conditions(delay_ms=40))
    median_ms = sorted(away_ms for _, away_ms in ping(roaming, port))[20]
    assert 100 <= median_ms < 180
    wire.set(Conditions(loss=0.2), CLEAN)
    assert 130 < len(ping(roaming, port, packets=200, every_s=0.005)) < 190
    # 100 packets of 528 bytes in 1 s are 422 kbit/s; the line takes 200 and has a queue of 200 ms.
    wire.set(Conditions(rate_kbps=200, queue_ms=200), CLEAN)
    came = ping(roaming, port, packets=100, size=500)
    assert 40 < len(came) < 90
    assert max(away_ms for _, away_ms in came) > 150


def test_udp_alone_can_be_blocked_and_either_way_cut(roaming: Roaming, port: int) -> None:
    wire = roaming.wires[WIFI]
    wire.heal()
    wire.udp_blocked = True
    assert ping(roaming, port, packets=5) == []
    wire.udp_blocked = False
    for up, down in ((CUT, CLEAN), (CLEAN, CUT)):
        wire.set(up, down)
        assert ping(roaming, port, packets=5) == []
    wire.heal()
    assert len(ping(roaming, port, packets=5)) == 5


def test_a_device_that_moved_is_reached_on_its_other_network(roaming: Roaming, port: int) -> None:
    roaming.wires[WIFI].heal()
    roaming.move()
    roaming.wires[WIFI].cut()  # what a network does that one has left matters no more
    assert len(ping(roaming, port, packets=5)) == 5
