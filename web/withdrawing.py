"""Taking a consent to a recording back from outside the room: what still records stops first."""

from __future__ import annotations

from core.ids import ParticipantId, UserId
from recordings import withdrawals
from web.services import Services


async def of_place(services: Services, participant: ParticipantId) -> list[str]:
    """Take the consent of a place back, to all of its session; gives which recordings.

    Raises ``InvalidState`` when what records could not be stopped.
    """
    await services.calls.stop_recording(participant)
    async with services.database.sessions.begin() as db:
        return await withdrawals.withdraw(db, services.audit, participant=participant, now=services.now())


async def of_recording(services: Services, *, recording: str, user: UserId) -> list[str]:
    """Take somebody's consent to one recording back. Raises ``NotFound``, ``InvalidState``."""
    async with services.database.sessions() as db:
        place = await withdrawals.place_of(db, recording=recording, user=user)
    await services.calls.stop_recording(place)
    async with services.database.sessions.begin() as db:
        return await withdrawals.withdraw_one(
            db, services.audit, recording=recording, user=user, now=services.now()
        )


async def stop_all(services: Services, client: UserId) -> None:
    """Stop whatever records a client now, or is about to: they take their consent back as a whole.

    The live sessions are asked, not the table alone: what was only agreed to has no row of a recording yet.
    """
    await services.calls.stop_recordings_of(client)
    async with services.database.sessions() as db:
        places = await withdrawals.recording_now(db, client=client)
    for place in places:
        await services.calls.stop_recording(place)
