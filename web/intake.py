"""What the pages of the intake share: instruments and cut-offs, how far a client is, and keeping a step.

Whatever is kept is triaged at once: the walk-in's risk may rise with it and never falls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.people import Person
from core.ids import UserId
from counseling import acceptances, intake, screening, talks, walkins
from counseling.cutoffs import InForce, read_cutoffs
from counseling.entry import Medium
from counseling.instruments import Instrument, read_instruments
from counseling.intake import CONCERNS, HISTORY, SAFETY, Content, Items, Progress, Saved
from counseling.triage import Answers, Safe, raised, triage
from counseling.walkin_states import Alone, State, Walkin
from web import answering, escalation
from web.jobs import every
from web.services import SERVICES, Services

HOUR_S: Final = 3600.0
STEPS: Final = (CONCERNS, HISTORY)
"""What everybody may answer; instruments come after them."""


@dataclass(frozen=True, slots=True)
class Screening:
    """The data behind the intake's pages."""

    instruments: Mapping[str, Instrument]
    in_force: InForce


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a client is. ``steps`` are what they are asked, in order; ``offered`` the instruments in it."""

    walkin: Walkin | None
    talking: bool
    saved: Mapping[str, Saved]
    offered: Mapping[str, Instrument]
    steps: Mapping[str, Progress]

    @property
    def following(self) -> str | None:
        """The first step that is not done."""
        waiting = (Progress.OPEN, Progress.BEGUN)
        return next((step for step, progress in self.steps.items() if progress in waiting), None)

    @property
    def called(self) -> bool:
        """Whether a counselor waits for the client, so that the page must say it."""
        return self.talking or (self.walkin is not None and self.walkin.state is State.TALKING)


SCREENING: Final = http.AppKey("screening", Screening)


def setup(app: http.Application) -> None:
    """Read the data and add the job. Raises ``ConfigError`` for a file that does not fit."""
    config = app[SERVICES].config
    instruments = read_instruments(config.instruments)
    app[SCREENING] = Screening(instruments, read_cutoffs(instruments, config.cutoffs))
    every(app, HOUR_S, forget_old_answers)


async def forget_old_answers(services: Services) -> None:
    """Delete what clients answered long ago."""
    async with services.database.sessions.begin() as db:
        await intake.prune(db, now=services.now())


async def standing(
    services: Services, ours: Screening, db: AsyncSession, *, client: Person, language: str
) -> Standing:
    """Say how far a client is."""
    now = services.now()
    walkin = await walkins.find_open(db, client=client.id)
    saved = await intake.own(db, services.audit, client=client.id)
    accepted = await acceptances.acceptances(db)
    offered = acceptances.offered(ours.instruments, accepted, language=language, adult=client.adult)
    steps = {
        step: intake.progress(step, saved, ours.instruments, now)
        for step in (*STEPS, *sorted(offered, key=lambda one: one != "phq9"))
    }
    since = None if walkin is None else walkin.asked_at
    if any(one.flagged for one in _answers(ours, saved, since, now).scores.values()):
        asked = saved.get(SAFETY)
        is_now = asked is not None and (since is None or asked.at >= since)
        progress = intake.progress(SAFETY, saved, ours.instruments, now) if is_now else Progress.OPEN
        steps = {SAFETY: progress} | steps
    talk = await talks.open_of_client(db, client=client.id)
    return Standing(walkin, talk is not None, saved, offered, steps)


async def keep(
    services: Services,
    ours: Screening,
    db: AsyncSession,
    *,
    client: UserId,
    step: str,
    content: Content,
    item: int | None = None,
    done: bool = True,
) -> bool:
    """Keep a step, and take it into the walk-in's triage. Says whether "are you safe now?" is to be asked.

    It is asked anew whenever the ``item`` just answered is about harming oneself, with a point or more.
    """
    now = services.now()
    await intake.save(db, services.audit, client=client, step=step, content=content, done=done, now=now)
    asks = (
        isinstance(content, Items)
        and item == ours.instruments[step].flag_item
        and screening.score(ours.instruments[step], content).flagged
    )
    if asks:
        await intake.forget_step(db, client=client, step=SAFETY)
    await _retriage(services, ours, db, client)
    return asks


async def keep_safety(
    services: Services, ours: Screening, db: AsyncSession, *, client: Person, answer: Safe, language: str
) -> bool:
    """Keep the answer to "are you safe now?". Says whether help was called.

    Whoever is not sure or not safe is urgent, in the line or not: then they are put into it. While they talk
    with a counselor that one is called, and the line is not.
    """
    now = services.now()
    await services.audit.hold(db)
    content = intake.Safety(answer)
    await intake.save(db, services.audit, client=client.id, step=SAFETY, content=content, now=now)
    walkin = await walkins.find_open(db, client=client.id)
    if walkin is not None:
        await _retriage(services, ours, db, client.id)
    if answer is Safe.SAFE:
        return False
    if (talk := await talks.open_of_client(db, client=client.id)) is not None:
        found = triage(Answers(safe_now=answer))
        await answering.said_in_talk(
            services, db, talk=talk, client=client, found=found, safe=answer, language=language
        )
        return False
    if walkin is None:
        walkin = await walkins.ask(
            db,
            services.audit,
            client=client,
            language=language,
            topic=walkins.OTHER_TOPIC,
            medium=Medium.CHAT,
            alone=Alone.UNSURE,
            triage=triage(Answers(safe_now=answer)),
            now=now,
        )
    await escalation.raise_alarm(services, db, await walkins.get(db, walkin=walkin.id))
    return True


async def _retriage(services: Services, ours: Screening, db: AsyncSession, client: UserId) -> None:
    """Take what was answered into the open walk-in. The line is held only where something changes."""
    now, walkin = services.now(), await walkins.find_open(db, client=client)
    if walkin is None:
        return
    answers = _answers(ours, await _saved(services, db, client), walkin.asked_at, now)
    found = triage(answers, ours.in_force.cutoffs)
    if raised(walkin.triage, found) == walkin.triage:
        return
    await services.audit.hold(db)
    if (still := await walkins.find_open(db, client=client)) is not None:
        await walkins.retriage(db, services.audit, walkin=still.id, triage=found, now=now)


async def _saved(services: Services, db: AsyncSession, client: UserId) -> Mapping[str, Saved]:
    return await intake.own(db, services.audit, client=client)


def _answers(ours: Screening, saved: Mapping[str, Saved], since: datetime | None, now: datetime) -> Answers:
    return screening.answers_of(saved, ours.instruments, since=since, now=now)
