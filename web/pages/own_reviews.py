"""`/counselor/reviews`: a counselor's own recordings, released or not, and what supervisors said of them.

Who opened one, and what for, stands there too. A counselor reads of a recording and does not play it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.roles import Permission
from core.errors import InvalidState, NotFound
from core.ids import UserId, is_id
from recordings import exports, reviews, rubric
from recordings.opening import Closed
from recordings.reviews import Opening, Recording
from recordings.rubric import QUESTIONS
from recordings.states import State
from web.forms import PageForm, do_once, sent
from web.gate import add, person_of
from web.pages.review_forms import AnswerForm, below_comments, say_moment
from web.pages.site import SITE, language_of
from web.quality_words import Words
from web.reviews import REVIEWS, find_own
from web.services import SERVICES

PAGE: Final = "/counselor/reviews"
OWN: Final = Permission.OWN_REVIEWS
GONE: Final = frozenset({State.DESTROYING, State.DESTROYED})
READABLE: Final = frozenset({None, Closed.TOO_EARLY, Closed.NOT_THERE})
"""With these a counselor still reads what was said: both consents stand."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Who opened a recording, as the page shows it. ``sent_percent`` is 0 when nobody can say any more."""

    opening: Opening
    viewer: str
    sent_percent: int
    watched: tuple[tuple[str, str], ...]


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /counselor/reviews`."""
    services, person, site = request.app[SERVICES], person_of(request), request.app[SITE]
    async with services.database.sessions() as db:
        found = [
            one
            for one in await reviews.of_counselors(db, counselors=[person.id])
            if one.state not in GONE and one.client is not None
        ]
        told = await rubric.submitted(db, services.audit, counselor=person.id)
        named = await _names(db, [one.reviewer for one in told])
    return site.show(
        request,
        "reviews/own_list.html",
        rows=found,
        told=told,
        named=named,
        questions=QUESTIONS,
        recordings={one.id for one in found},
        long=Words(site.renderer, language_of(request)).long,
    )


async def one(request: http.Request) -> http.Response:
    """Answer `GET /counselor/reviews/{recording}`."""
    return await _one(request)


async def _one(
    request: http.Request, *, answered: tuple[str, AnswerForm] | None = None, status: int = 200
) -> http.Response:
    services, person, site = request.app[SERVICES], person_of(request), request.app[SITE]
    async with services.database.sessions() as db:
        recording, why = await find_own(request, db, person)
        opened = await reviews.openings(db, services.audit, recording=recording, participant=person.id)
        taken = await exports.of_recording(db, services.audit, recording=recording)
        said = []
        if why in READABLE:
            said = await request.app[REVIEWS].comments.listed(db, recording=recording)
        users = [one.viewer for one in opened] + [one.asker for one in taken] + [one.author for one in said]
        named = await _names(db, users)
    return site.show(
        request,
        "reviews/own_one.html",
        status=status,
        recording=recording,
        seen=[seen(one, named, recording) for one in opened],
        said=said,
        taken=taken,
        named=named,
        at=say_moment,
        answer=below_comments(request, AnswerForm, answered),
        long=Words(site.renderer, language_of(request)).long,
        released=recording.released,
        closed=recording.closed,
    )


def seen(opening: Opening, named: dict[UserId, str], recording: Recording) -> Seen:
    """Say who opened a recording, how much of it was sent to them, and which stretches they watched.

    A second that was begun counts as watched.
    """
    viewer = "" if opening.viewer is None else named.get(opening.viewer, "")
    whole_bytes = sum(side.sealed_bytes for side in recording.sides)
    sent = math.ceil(100 * opening.sent_bytes / whole_bytes) if whole_bytes else 0
    return Seen(
        opening,
        viewer,
        min(100, sent),
        tuple((say_moment(one.from_ms), say_moment(one.to_ms + 999)) for one in opening.watched),
    )


async def release(request: http.Request) -> http.Response:
    """Answer `POST /counselor/reviews/{recording}/release`: release it, or take that back."""
    services, person, form = request.app[SERVICES], person_of(request), await sent(request, PageForm)
    takes_back = "take_back" in await request.post()

    async def act(db: AsyncSession) -> str:
        recording, _ = await find_own(request, db, person)
        do = reviews.take_back if takes_back else reviews.release
        await do(db, services.audit, recording=recording.id, person=person, now=services.now())
        return f"{_path(recording)}?done={'review_taken_back' if takes_back else 'review_released'}"

    try:
        return await do_once(request, form, act)
    except InvalidState:
        raise http.HTTPSeeOther(PAGE) from None


async def answer(request: http.Request) -> http.Response:
    """Answer `POST /counselor/reviews/{recording}/comments/{comment}`."""
    services, person, form = request.app[SERVICES], person_of(request), await sent(request, AnswerForm)
    asked = request.match_info["comment"]
    if not is_id(asked):
        raise NotFound("There is no such comment.")
    if not form.validate():
        return await _one(request, answered=(asked, form), status=422)

    async def act(db: AsyncSession) -> str:
        recording, why = await find_own(request, db, person)
        if why not in READABLE:
            raise NotFound("There is no such comment.")
        await request.app[REVIEWS].comments.answer(
            db,
            recording=recording,
            comment=asked,
            counselor=person,
            text=str(form.text.data),
            now=services.now(),
        )
        return f"{_path(recording)}?done=review_answered#{asked}"

    return await do_once(request, form, act)


async def _names(db: AsyncSession, users: list[UserId | None]) -> dict[UserId, str]:
    known = sorted({user for user in users if user is not None})
    return {one.id: one.name for one in await people.find_all(db, users=known)}


def _path(recording: Recording) -> str:
    return f"{PAGE}/{recording.id}"


def setup(app: http.Application) -> None:
    """Add the counselor's pages."""
    add(app, "GET", PAGE, listed, OWN)
    add(app, "GET", f"{PAGE}/{{recording}}", one, OWN)
    add(app, "POST", f"{PAGE}/{{recording}}/release", release, OWN)
    add(app, "POST", f"{PAGE}/{{recording}}/comments/{{comment}}", answer, OWN)
