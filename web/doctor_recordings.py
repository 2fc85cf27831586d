"""What ``teduh doctor`` looks at where recordings are: which do not get on, and what has lost its half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from core.bucket import Bucket
from core.clock import Clock
from core.config import Config
from core.errors import TeduhError
from recordings import leap, orphans, reserve
from recordings.figures import Figures, measure
from recordings.leap import Seen
from recordings.orphans import Lack
from recordings.states import State
from recordings.workshop import Workshop
from web.commands.stores import Stores
from web.doctor import Finding, Level

ABOUT: Final = "recordings"
LACKS: Final = {
    Lack.MEDIA: "stored files that rows tell of are gone or changed",
    Lack.ROW: "files belong to no recording, or to one that was destroyed",
    Lack.KEY: "recordings have no key and open no more",
    Lack.KEY_ROW: "keys belong to no recording, or to one that was destroyed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFacts:
    """How things are. ``lost`` counts orphans; None when the store was not asked, or did not answer."""

    figures: Figures
    place: str
    problem: str | None
    """Why the store did not answer, as a sentence."""
    lost: dict[Lack, int] | None
    clock: Seen
    free_bytes: int | None
    """Where live recordings are written; None when the disk does not tell."""


async def gather_recordings(config: Config, *, clock: Clock, offline: bool) -> RecordingFacts:
    """Find out how things are. ``offline``: a bucket is not asked."""
    problem, lost = None, None
    async with Stores(config) as stores:
        shop = Workshop.of(config, database=stores.database, master=stores.master, clock=clock)
        seen = leap.after(await leap.known(shop), now=clock.now())
        async with stores.database.sessions() as db:
            figures = await measure(db, now=clock.now())
        try:
            if not (offline and isinstance(config.recordings_url, Bucket)):
                found = await orphans.look(shop)
                lost = {lack: sum(one.lack is lack for one in found) for lack in Lack}
        except TeduhError as error:
            problem = str(error)
        finally:
            await shop.store.close()
    place = "the data directory" if config.recordings_url is None else str(config.recordings_url)
    return RecordingFacts(
        figures=figures,
        place=place,
        problem=problem,
        lost=lost,
        clock=seen,
        free_bytes=reserve.free_bytes(shop.spool),
    )


def examine_recordings(facts: RecordingFacts) -> list[Finding]:
    """Look at everything, in an order that stays the same."""
    return [
        finding for check in (_store, _room, _clock, _waiting, _broken, _lost) for finding in check(facts)
    ]


def _store(facts: RecordingFacts) -> Iterator[Finding]:
    count, size = facts.figures.states[State.STORED], facts.figures.stored_bytes / 1e9
    if facts.problem is not None:
        yield Finding(ABOUT, Level.WRONG, f"{facts.place} does not answer: {facts.problem}")
    elif facts.lost is None:
        yield Finding(ABOUT, Level.NOTE, f"{facts.place} was not asked.")
    else:
        yield Finding(ABOUT, Level.FINE, f"{count} recordings are stored in {facts.place}, {size:.1f} GB.")


def _room(facts: RecordingFacts) -> Iterator[Finding]:
    if facts.free_bytes is not None and facts.free_bytes < reserve.RESERVE_BYTES:
        yield Finding(
            ABOUT,
            Level.WRONG,
            f"Nothing is recorded: {facts.free_bytes >> 20} MB are free where recordings are written, and "
            f"{reserve.RESERVE_BYTES >> 20} MB are left for destroying them. Make room.",
        )


def _clock(facts: RecordingFacts) -> Iterator[Finding]:
    if facts.figures.there and not facts.clock.is_believed:
        yield Finding(
            ABOUT,
            Level.WRONG,
            "The clock was {was}, and at the next look {leapt}: it leapt, or teduh did not run. No recording "
            "whose time is over is destroyed before {until}. If the clock is wrong, set it: that is all. If "
            "it is right: teduh recordings clock-right ends the wait.".format(**facts.clock.places),
        )


def _waiting(facts: RecordingFacts) -> Iterator[Finding]:
    if facts.figures.unstored:
        yield Finding(
            ABOUT,
            Level.WRONG,
            f"{facts.figures.unstored} ended more than an hour ago and are not stored: see teduh recordings "
            "list. Nothing of them is lost; they are tried again each hour.",
        )
    if facts.figures.undestroyed:
        yield Finding(
            ABOUT,
            Level.WRONG,
            f"{facts.figures.undestroyed} should have been destroyed an hour ago: see teduh recordings "
            "proofs. It is tried again each hour.",
        )


def _broken(facts: RecordingFacts) -> Iterator[Finding]:
    if broken := facts.figures.states[State.BROKEN]:
        yield Finding(
            ABOUT, Level.WRONG, f"{broken} do not hold: teduh recordings list says which and what is wrong."
        )


def _lost(facts: RecordingFacts) -> Iterator[Finding]:
    for lack, count in (facts.lost or {}).items():
        if count:
            text = f"{count} {LACKS[lack]}: teduh recordings orphans names them."
            yield Finding(ABOUT, Level.WRONG, text)
