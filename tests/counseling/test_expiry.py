from __future__ import annotations

from datetime import date, timedelta

from accounts import notices
from accounts.roles import Role
from counseling import expiry
from tests.counseling.conftest import LICENCE, Desk


async def test_each_warning_is_sent_once_and_the_end_is_told(desk: Desk) -> None:
    ratna = await desk.verified()
    assert LICENCE.valid_until is not None
    sent = []
    for left in (61, 60, 59, 30, 8, 7, 0, -1, -2):
        today = LICENCE.valid_until - timedelta(days=left)
        async with desk.database.sessions.begin() as db:
            sent.append(await expiry.warn(db, today=today, now=desk.clock.now()))
        desk.clock.advance(1)
    assert sent == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    async with desk.database.sessions() as db:
        inbox = [one for one in await notices.inbox(db, user=ratna) if one.kind.startswith("register_end")]
    assert [(one.kind, one.said("id")) for one in reversed(inbox)] == [
        ("register_ends", {"days": "60", "day": "2 Maret 2027"}),
        ("register_ends", {"days": "30", "day": "2 Maret 2027"}),
        ("register_ends", {"days": "7", "day": "2 Maret 2027"}),
        ("register_ended", {"days": "0", "day": "2 Maret 2027"}),
    ]
    assert inbox[0].said("en")["day"] == "2 March 2027"


async def test_who_is_not_verified_is_not_warned(desk: Desk) -> None:
    ratna = await desk.make(Role.COUNSELOR)
    await desk.fill(ratna.id)
    await desk.hand_in(ratna.id)
    async with desk.database.sessions.begin() as db:
        assert await expiry.warn(db, today=date(2027, 3, 1), now=desk.clock.now()) == 0
