"""The load generator, a process of its own: joins N sessions and sends what calls send.

    python -m bench.generator PLACES.json --seconds 10 --profile video [--watch PID] [--bare HOST:PORT]

PLACES.json is a list of [url, token, token]. Prints one JSON line when all sides have met
(``{"joined": ...}``), waits for a line on standard input, sends, prints the report as one line. With
``--bare`` it joins nothing and sends packets of the same sizes at the same times to a forwarder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bench import loop, measure
from bench.bare import BarePeer
from bench.dtls import make_context, make_identity
from bench.peer import Peer
from bench.schedule import CYCLE_S, Profile, burst, slots

WARM_UP_S = 1.0
DRAIN_S = 0.3
VOID_LATE_MS = 5.0
MOST_AT_ONCE = 48


class Sender(Protocol):
    """What the load needs of a peer."""

    def send_audio(self) -> None: ...
    def send_video(self, burst: int) -> None: ...
    def send_reports(self) -> None: ...
    def restart_counts(self) -> None: ...


class Load:
    """Sends on time, by ``call_at``, and keeps how late each slot was."""

    def __init__(self, senders: Sequence[Sender], profile: Profile) -> None:
        self._senders = senders
        self._slots = slots(len(senders), profile)
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time() + 0.05
        self._cycle = 0
        self._at = 0
        self._timer = self._loop.call_at(self._began_s, self._tick)
        self.late_s: list[float] = []

    def _tick(self) -> None:
        for _ in range(MOST_AT_ONCE):
            slot = self._slots[self._at]
            due_s = self._began_s + self._cycle * CYCLE_S + slot.offset_s
            now_s = self._loop.time()
            if due_s > now_s:
                break
            self.late_s.append(now_s - due_s)
            sender = self._senders[slot.peer]
            if slot.video:
                sender.send_video(burst(self._cycle, slot.peer))
            else:
                sender.send_audio()
                if (self._cycle + slot.peer) % 50 == 0:
                    sender.send_reports()
            self._at += 1
            if self._at == len(self._slots):
                self._at = 0
                self._cycle += 1
        else:
            due_s = self._loop.time()
        self._timer = self._loop.call_at(due_s, self._tick)

    def stop(self) -> None:
        """Send nothing more."""
        self._timer.cancel()


async def run(senders: Sequence[Sender], asked: argparse.Namespace) -> dict[str, Any]:
    """Send for the warm-up and then for the time that counts."""
    load = Load(senders, asked.profile)
    await asyncio.sleep(WARM_UP_S)
    load.late_s.clear()
    for sender in senders:
        sender.restart_counts()
    own = time.process_time()
    began_s, began_cpu = time.perf_counter(), measure.cpu_us(asked.watch) if asked.watch else 0.0
    await asyncio.sleep(asked.seconds)
    took_s = time.perf_counter() - began_s
    cpu = measure.cpu_us(asked.watch) - began_cpu if asked.watch else 0.0
    own = time.process_time() - own
    late = [1000 * each for each in load.late_s]
    load.stop()
    await asyncio.sleep(DRAIN_S)
    late_p99 = measure.percentile(late, 0.99)
    return {
        "seconds": round(took_s, 3),
        "watched_cpu_us": round(cpu),
        "generator_core_pct": round(100 * own / took_s, 1),
        "late_p50_ms": round(measure.percentile(late, 0.5), 3),
        "late_p99_ms": round(late_p99, 3),
        "void": late_p99 > VOID_LATE_MS,
    }


async def with_server(asked: argparse.Namespace) -> None:
    identity = make_identity()
    context = make_context(identity)
    places = asked.places
    peers: list[Peer] = []
    took_ms: list[float] = []
    async with aiohttp.ClientSession() as http:
        step_s = asked.over / max(1, 2 * len(places))
        for url, *tokens in places:
            for token in tokens:
                peer = Peer(url, token, identity, context)
                began_s = time.perf_counter()
                took_ms.append(1000 * await peer.join(http))
                peers.append(peer)
                await asyncio.sleep(max(0.0, step_s - (time.perf_counter() - began_s)))
        await asyncio.wait_for(asyncio.gather(*(peer.met.wait() for peer in peers)), 20)
        say(
            {
                "joined": len(peers),
                "join_p50_ms": round(measure.percentile(took_ms, 0.5), 2),
                "join_p99_ms": round(measure.percentile(took_ms, 0.99), 2),
            }
        )
        await go()
        report = await run(peers, asked)
        ports = [peer.udp.getsockname()[1] for peer in peers]
        report |= {
            "sent": sum(peer.counts.sent for peer in peers),
            "received": sum(peer.counts.received for peer in peers),
            "missing": sum(s.missing for peer in peers for s in peer.counts.streams.values()),
            "refused": sum(peer.counts.refused for peer in peers),
            "undecryptable": sum(peer.counts.undecryptable for peer in peers),
            "own_kernel_drops": measure.udp_drops(ports),
            "lost_sessions": sorted({peer.lost for peer in peers if peer.lost}),
            "not_met": sum(not peer.met.is_set() for peer in peers),
        }
        say(report)
        await asyncio.gather(*(peer.close() for peer in peers))


async def with_forwarder(asked: argparse.Namespace) -> None:
    host, port = asked.bare.rsplit(":", 1)
    peers = [BarePeer((host, int(port)), pair) for pair in range(asked.sessions) for _ in range(2)]
    await asyncio.sleep(0.2)
    say({"joined": len(peers)})
    await go()
    report = await run(peers, asked)
    report |= {"sent": sum(peer.sent for peer in peers), "received": sum(peer.received for peer in peers)}
    say(report)
    for peer in peers:
        peer.close()


def say(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


async def go() -> None:
    await asyncio.to_thread(sys.stdin.readline)


def _read(path: str) -> list[list[str]]:
    read: list[list[str]] = json.loads(Path(path).read_text())
    return read


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.generator")
    parser.add_argument("places", nargs="?", type=_read, default=[])
    parser.add_argument("--bare", default="", help="HOST:PORT of a bare forwarder")
    parser.add_argument("--sessions", type=int, default=20, help="with --bare")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--over", type=float, default=0, help="seconds over which the joins are spread")
    parser.add_argument("--profile", type=Profile, default=Profile.VIDEO)
    parser.add_argument("--watch", type=int, default=0, help="process whose CPU is measured")
    asked = parser.parse_args()
    loop.run(with_forwarder(asked) if asked.bare else with_server(asked))


if __name__ == "__main__":
    main()
