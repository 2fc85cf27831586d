"""`/supervisor/recordings`: recordings that a supervisor may open, and the page on which one is reviewed.

A recording opens for a purpose and a while. What is said of it stands at its moment; the review itself is a
form with the rubric, saved as a draft until it is submitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants, people
from accounts.grants import Grant
from accounts.people import Person
from core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from core.ids import is_id
from recordings import reviews, rubric
from recordings.comments import Comment
from recordings.reviews import Recording
from recordings.rubric import QUESTIONS, Review
from signaling import directory, quality_record
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.review_forms import (
    CommentForm,
    EditForm,
    OpenForm,
    ReviewForm,
    below_comments,
    read_moment,
    say_moment,
)
from web.pages.site import SITE, language_of
from web.quality_words import Words
from web.review_timeline import Picture, draw, place
from web.reviews import REVIEW, REVIEWS, find_open, grant_of, own_hidden, to_review
from web.services import SERVICES

PAGE: Final = "/supervisor/recordings"


@dataclass(frozen=True, slots=True)
class Said:
    """A comment as the page shows it."""

    comment: Comment
    at: str
    x: float
    author: str
    mine: bool


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /supervisor/recordings`."""
    services, person, site = request.app[SERVICES], person_of(request), request.app[SITE]
    async with services.database.sessions() as db:
        found = await to_review(request, db, person)
        counselors = sorted({one.counselor for one in found if one.counselor is not None})
        named = {one.id: one.name for one in await people.find_all(db, users=counselors)}
        done = await rubric.by_reviewer(db, reviewer=person.id)
        held = {one.id for one in found if await grant_of(request, db, person, one) is not None}
        hidden = await own_hidden(request, db, person)
    return site.show(
        request,
        "reviews/list.html",
        rows=found,
        named=named,
        reviewed=done,
        held=held,
        hidden=hidden,
        at=say_moment,
        long=Words(site.renderer, language_of(request)).long,
    )


async def one(request: http.Request) -> http.Response:
    """Answer `GET /supervisor/recordings/{recording}`: ask what for, or show it while the grant holds."""
    return await _one(request)


async def _one(
    request: http.Request,
    *,
    opening: OpenForm | None = None,
    comment: CommentForm | None = None,
    edited: tuple[str, EditForm] | None = None,
    review: ReviewForm | None = None,
    status: int = 200,
) -> http.Response:
    services, person, site = request.app[SERVICES], person_of(request), request.app[SITE]
    words = Words(site.renderer, language_of(request))
    async with services.database.sessions() as db:
        recording = await find_open(request, db, person)
        counselor = None if recording.counselor is None else await people.find(db, user=recording.counselor)
        grant = await grant_of(request, db, person, recording)
        shared: dict[str, Any] = {
            "recording": recording,
            "counselor": "" if counselor is None else counselor.name,
            "long": words.long,
        }
        if grant is None:
            opening = opening or blank(request, OpenForm)
            return site.show(request, "reviews/opening.html", status=status, form=opening, **shared)
        said = await request.app[REVIEWS].comments.listed(db, recording=recording)
        authors = await people.find_all(db, users=sorted({one.author for one in said}))
        picture = await _picture(db, recording)
        own = await rubric.find(db, services.audit, recording=recording, reviewer=person.id)
    names = {one.id: one.name for one in authors}
    return site.show(
        request,
        "reviews/one.html",
        status=status,
        grant=grant,
        viewer=person.name,
        picture=picture,
        at=say_moment,
        marks=[]
        if picture is None
        else [(mark, words.event(mark.event.kind, mark.event.detail, mark.role)) for mark in picture.marks],
        who=words.who,
        said=[
            Said(
                one,
                say_moment(one.at_ms),
                place(one.at_ms, recording.duration_ms),
                names.get(one.author, ""),
                one.author == person.id,
            )
            for one in said
        ],
        edit=below_comments(request, EditForm, edited),
        comment=comment or blank(request, CommentForm),
        review=review or _review_form(request, own),
        own=own,
        questions=QUESTIONS,
        exports=services.config.recording_export,
        speeds=(0.5, 0.75, 1, 1.25, 1.5, 2),
        now=services.now(),
        **shared,
    )


async def _picture(db: AsyncSession, recording: Recording) -> Picture | None:
    if recording.session is None:
        return None
    session = await directory.find(db, session_id=recording.session)
    if session is None:
        return None
    record = await quality_record.read(db, session_id=session.id)
    return draw(recording, session, record, await reviews.pauses(db, recording=recording.id))


def _review_form(request: http.Request, own: Review | None) -> ReviewForm:
    start = {} if own is None else {**own.scores, "words": own.words}
    return blank(request, ReviewForm, **start)


async def open_one(request: http.Request) -> http.Response:
    """Answer `POST /supervisor/recordings/{recording}/open`."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, OpenForm)
    if not form.validate():
        return await _one(request, opening=form, status=422)

    async def act(db: AsyncSession) -> str:
        recording = await find_open(request, db, person)
        await reviews.open_up(
            db,
            services.audit,
            person=person,
            recording=recording,
            purpose=str(form.purpose.data),
            hours=int(form.hours.data),
            now=services.now(),
        )
        return _path(recording)

    try:
        return await do_once(request, form, act)
    except InvalidInput:
        form.say_wrong(Wrong("purpose", "form.missing"))
        return await _one(request, opening=form, status=422)


async def close_one(request: http.Request) -> http.Response:
    """Answer `POST /supervisor/recordings/{recording}/close`: give the grant back."""
    person, form = person_of(request), await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        recording = await find_open(request, db, person)
        grant = await grant_of(request, db, person, recording)
        await grants.end(db, permission=REVIEW, object_id=recording.id, person=person.id)
        if grant is not None:
            request.app[REVIEWS].playback.forget(grant.id)
        return f"{PAGE}?done=review_closed"

    return await do_once(request, form, act)


async def say(request: http.Request) -> http.Response:
    """Answer `POST /supervisor/recordings/{recording}/comments`."""
    services, person, form = request.app[SERVICES], person_of(request), await sent(request, CommentForm)
    fits, at_ms = form.validate(), read_moment(str(form.at.data or ""))
    if not fits or at_ms is None:
        if at_ms is None:
            form.say_wrong(Wrong("at", "review.at_wrong"))
        return await _one(request, comment=form, status=422)

    async def act(db: AsyncSession) -> str:
        recording, grant = await _needed(request, db, person)
        number = await request.app[REVIEWS].comments.add(
            db, grant, recording=recording, at_ms=at_ms, text=str(form.text.data), now=services.now()
        )
        return f"{_path(recording)}?done=comment_added#{number}"

    try:
        return await do_once(request, form, act)
    except InvalidInput:
        form.say_wrong(Wrong("at", "review.at_wrong"))
        return await _one(request, comment=form, status=422)


async def edit(request: http.Request) -> http.Response:
    """Answer `POST /supervisor/recordings/{recording}/comments/{comment}`: other words, or none of it."""
    services, person, form = request.app[SERVICES], person_of(request), await sent(request, EditForm)
    asked = _comment(request)
    removes = "remove" in await request.post()
    if not removes and not form.validate():
        return await _one(request, edited=(asked, form), status=422)

    async def act(db: AsyncSession) -> str:
        recording, _ = await _needed(request, db, person)
        kept = request.app[REVIEWS].comments
        if removes:
            await kept.remove(db, recording=recording, comment=asked, author=person, now=services.now())
            return f"{_path(recording)}?done=comment_removed"
        await kept.edit(
            db,
            recording=recording,
            comment=asked,
            author=person,
            text=str(form.text.data),
            now=services.now(),
        )
        return f"{_path(recording)}?done=comment_edited#{asked}"

    return await do_once(request, form, act)


async def review(request: http.Request) -> http.Response:
    """Answer `POST /supervisor/recordings/{recording}/review`: keep a draft, or submit it."""
    services, person, form = request.app[SERVICES], person_of(request), await sent(request, ReviewForm)
    submits = "submit" in await request.post()
    if not form.validate():
        return await _one(request, review=form, status=422)

    async def act(db: AsyncSession) -> str:
        recording = await find_open(request, db, person)
        await rubric.save(
            db,
            services.audit,
            recording=recording,
            person=person,
            scores={one: str(form[one].data or "") for one in QUESTIONS},
            words=str(form.words.data or ""),
            submit=submits,
            now=services.now(),
        )
        return f"{_path(recording)}?done={'review_submitted' if submits else 'review_saved'}"

    try:
        return await do_once(request, form, act)
    except InvalidInput as error:
        for misfit in error.misfits:
            form.say_wrong(Wrong(misfit.pointer.removeprefix("/"), "review.unanswered"))
        return await _one(request, review=form, status=422)
    except InvalidState:
        raise http.HTTPSeeOther(request.path.removesuffix("/review")) from None


async def _needed(request: http.Request, db: AsyncSession, person: Person) -> tuple[Recording, Grant]:
    recording = await find_open(request, db, person)
    grant = await grant_of(request, db, person, recording)
    if grant is None:
        raise Forbidden("Say first what you open it for.")
    return recording, grant


def _comment(request: http.Request) -> str:
    asked = request.match_info["comment"]
    if not is_id(asked):
        raise NotFound("There is no such comment.")
    return asked


def _path(recording: Recording) -> str:
    return f"{PAGE}/{recording.id}"


def setup(app: http.Application) -> None:
    """Add the pages of who reviews."""
    one_path = f"{PAGE}/{{recording}}"
    add(app, "GET", PAGE, listed, REVIEW)
    add(app, "GET", one_path, one, REVIEW)
    add(app, "POST", f"{one_path}/open", open_one, REVIEW)
    add(app, "POST", f"{one_path}/close", close_one, REVIEW)
    add(app, "POST", f"{one_path}/comments", say, REVIEW)
    add(app, "POST", f"{one_path}/comments/{{comment}}", edit, REVIEW)
    add(app, "POST", f"{one_path}/review", review, REVIEW)
