"""What the card of a broken line shows, to whom, and what a phone keeps of it."""

from __future__ import annotations

from typing import Any

import pytest

from counseling.preparation import OnDrop
from counseling.walkin_states import Alone
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client
from tests.web.test_drops import NUMBER, meeting
from web.services import SERVICES


async def card_of(client: Client, participant: str) -> tuple[int, dict[str, Any]]:
    async with client.get(f"/api/v1/place/{participant}/card") as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("choice", "alone", "does"),
    [
        (OnDrop.CALL, Alone.YES, "call"),
        (OnDrop.CALL, Alone.NO, "write"),
        (OnDrop.NOTHING, Alone.YES, "nothing"),
    ],
)
async def test_the_client_reads_what_a_drop_does_and_numbers_to_call(
    client: Client, clock: FakeClock, choice: OnDrop, alone: Alone, does: str
) -> None:
    met = await meeting(client, clock, choice=choice, alone=alone)
    await met.be(met.embun)
    status, card = await card_of(client, met.places[met.embun.id])
    assert (status, card["does"], card["service"]) == (200, does, None)
    assert 1 <= len(card["lines"]) <= 3
    assert all(line["dial"].startswith("tel:") and line["name"] for line in card["lines"])
    assert NUMBER not in str(card)


async def test_nobody_reads_the_card_of_somebody_elses_place(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock)
    await met.be(met.embun)
    assert (await card_of(client, met.places[met.ratna.id]))[0] == 401
    assert (await card_of(client, "p_nobody"))[0] == 401


async def test_the_services_number_stands_on_both_cards(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock)
    await met.be(met.embun)
    object.__setattr__(client.app[SERVICES].config, "service_phone", "+62 21 500 454")
    _, card = await card_of(client, met.places[met.embun.id])
    assert card["service"] == {"name": "", "dial": "tel:+6221500454", "spoken": "+62 21 500 454"}
    kept = (await get(client, "/offline/room")).text
    assert 'href="tel:+6221500454"' in kept


async def test_the_kept_card_holds_nothing_of_a_person(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock)
    kept = (await get(client, "/offline/room")).text
    assert met.embun.name not in kept
    assert "tel:" in kept
    worker = (await get(client, "/worker.js")).text
    assert '"card": "/offline/room"' in worker
