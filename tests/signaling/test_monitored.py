"""What the dashboard and the alerts ask of a server is there before it has happened for the first time."""

from __future__ import annotations

import re

import pytest

from media.relay import COUNTED, Relay, RelayConfig
from signaling import dispatch
from signaling.carrying import Carrier
from signaling.client_messages import ClientMessage, Typing
from tests.docs.conftest import ROOT
from tests.docs.test_monitoring import expressions
from tests.signaling.conftest import House


async def test_every_metric_that_is_asked_for_is_told_from_the_start(house: House) -> None:
    relay = Relay(RelayConfig(), on_event=lambda _event: None)
    told = {f"teduh_media_{name}" for name in relay.counters()}
    told |= {f"teduh_calls_{name}" for name in house.hub.survey.counters()}
    told |= {f"teduh_calls_{one.name}" for one in house.hub.survey.measured()}
    asked = {name for one in expressions() for name in re.findall(r"\bteduh_(?:media|calls)_[a-z_]+", one)}
    # A kind of events is known when one has happened.
    asked -= {"teduh_calls_events_total"}
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} <= told


def test_whatever_the_relay_counts_is_told_as_0() -> None:
    source = "".join(path.read_text() for path in (ROOT / "media").glob("*.py"))
    names = set(re.findall(r'(?:counters|_counts)\["(\w+)"\]', source))
    names |= set(re.findall(r'\.count\("(\w+)"\)', source))
    assert names == set(COUNTED)


async def test_a_mistake_in_what_a_message_asks_for_is_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await house.session()
    client = await house.join(session, 0)

    kind: type[ClientMessage] = Typing

    def fail(_asked: dispatch.Asked, _message: Typing) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setitem(dispatch.HANDLERS, kind, fail)
    await client.send("typing")
    assert (await client.get("error"))["code"] == "internal"
    assert house.hub.survey.counters()["internal_errors"] == 1


async def test_a_mistake_in_carrying_out_is_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await house.session()

    def fail(_self: Carrier, *_args: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(Carrier, "_relay_command", fail)
    await house.join(session, 0)
    assert house.hub.survey.counters()["internal_errors"] > 0
