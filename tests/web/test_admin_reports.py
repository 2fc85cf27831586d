"""The admin's reports: every word that may stand in them, and who may read them."""

from __future__ import annotations

from accounts.roles import Role
from counseling import matching, urgent, walkin_states
from counseling.reports import PERIODS
from tests.web.conftest import Client
from tests.web.people import log_in, make
from web.pages.site import SITE


async def test_a_service_without_people_shows_that_there_is_nothing_to_show(client: Client) -> None:
    await log_in(client, await make(client, Role.ADMIN, name="Ayu"))
    for days in (*PERIODS, "x"):
        async with client.get(f"/admin/reports?days={days}") as answer:
            text = await answer.text()
        assert answer.status == 200
        assert "Kurang dari 5" in text


async def test_there_is_a_word_for_everything_that_is_counted(client: Client) -> None:
    keys = [f"report.outcome_{one}" for one in (*walkin_states.Ended, "open")]
    keys += [f"report.reason_{one}" for one in (*matching.Reason, "appointment")]
    keys += [f"report.alarm_{one}" for one in urgent.State]
    keys += [f"report.step_{one}" for one in urgent.Kind]
    texts = client.app[SITE].renderer.texts
    assert [key for key in keys if key not in texts["id"] or key not in texts["en"]] == []
