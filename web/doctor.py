"""What ``teduh doctor`` looks at: facts in, findings out, each a plain sentence. It asks nobody.

``web/commands/doctor.py`` gathers the facts.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from core.addresses import Reach

BACKUP_WITHIN: Final = timedelta(hours=26)
CHECKPOINT_WITHIN: Final = timedelta(hours=2)
TRIED_OUT_WITHIN: Final = timedelta(hours=72)
CERTIFICATE_LEFT: Final = timedelta(days=14)
MIN_FREE_BYTES: Final = 1_000_000_000
OTHERS: Final = 0o077
MOMENT: Final = "%a %Y-%m-%d %H:%M"


class Level(enum.StrEnum):
    """How bad it is."""

    FINE = "fine"
    NOTE = "note"
    """Worth knowing; may be meant so."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing."""

    about: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How things are. None means that it could not be found out, or that there is no such thing."""

    now: datetime
    reach: Reach
    https: bool
    own_tls: bool
    plain_outside: bool
    """Whether the plain HTTP port listens for other machines too."""

    data_dir: Path
    data_dir_mode: int | None
    key_file: Path
    key_mode: int | None
    key_from_environment: bool
    free_bytes: int

    backup_mark: Path | None
    backup_at: datetime | None
    certificate_until: datetime | None
    metrics_status: int | None
    """What a stranger gets from /metrics."""
    mail_set: bool
    checkpoints_set: bool
    checkpoint_file: Path | None
    checkpoint_at: datetime | None
    clock_synchronised: bool | None

    gaps: Sequence[tuple[datetime, datetime]]
    """Hours without anybody on duty, in the next days."""
    thin: int
    """How many times there is no deputy in them."""
    unreached: Sequence[str]
    """Who is on the roster and can be called on an open page only."""
    lines: int
    stale_lines: Sequence[str]
    texts_signed: bool
    officers: int
    officers_in_line: Sequence[str]
    late_complaints: int
    late_erasures: int
    """How many people should have been erased an hour ago."""
    staff_without_factor: Sequence[str]
    tried_out: Sequence[str]
    """At whose second factor all tries of a day were used up, in the last days."""
    demo_open: Sequence[str]
    """Whom the demo made and who can log in, on a server that others reach."""
    minors_policy: bool
    open_incidents: Sequence[tuple[str, timedelta | None]]
    """Titles with the time that is left; None when all is told and only closing is missing."""


def examine(facts: Facts) -> list[Finding]:
    """Look at everything, in an order that stays the same."""
    return [finding for check in CHECKS for finding in check(facts)]


def _fine(about: str, text: str) -> Finding:
    return Finding(about, Level.FINE, text)


def _note(about: str, text: str) -> Finding:
    return Finding(about, Level.NOTE, text)


def _wrong(about: str, text: str) -> Finding:
    return Finding(about, Level.WRONG, text)


def keys(facts: Facts) -> Iterator[Finding]:
    """Look at the master key and the directory it lies in."""
    if facts.data_dir_mode is None:
        yield _wrong("keys", f"The data directory {facts.data_dir} is not there: teduh serve makes it.")
        return
    if facts.data_dir_mode & OTHERS:
        yield _wrong("keys", f"Others can look into {facts.data_dir}: chmod 700 {facts.data_dir}")
    if facts.key_from_environment:
        yield _fine("keys", "The master key comes from TEDUH_MASTER_KEY.")
    elif facts.key_mode is None:
        yield _wrong(
            "keys",
            f"There is no master key at {facts.key_file}. If there was one, get it from the backup.",
        )
    elif facts.key_mode & OTHERS:
        yield _wrong("keys", f"Others can read the master key: chmod 600 {facts.key_file}")
    elif not facts.data_dir_mode & OTHERS:
        yield _fine("keys", "The master key is there and open to nobody else.")


def backups(facts: Facts) -> Iterator[Finding]:
    """Look at when the last backup was made."""
    if facts.backup_mark is None:
        yield _wrong(
            "backups",
            "Nobody can tell whether there are backups: have them touch a file, and set TEDUH_BACKUP_MARK.",
        )
    elif facts.backup_at is None:
        yield _wrong("backups", f"No backup was made yet: {facts.backup_mark} is not there.")
    elif facts.now - facts.backup_at > BACKUP_WITHIN:
        yield _wrong("backups", f"The last backup is {_ago(facts.now - facts.backup_at)} old.")
    else:
        yield _fine("backups", f"The last backup is {_ago(facts.now - facts.backup_at)} old.")


def tls(facts: Facts) -> Iterator[Finding]:
    """Look at how browsers reach the server."""
    if facts.reach is Reach.LOOPBACK:
        yield _fine("tls", "Only this machine reaches the pages.")
        return
    if not facts.https:
        yield _wrong(
            "tls",
            "Browsers come by plain HTTP: no camera, no microphone, and everybody on the line reads along.",
        )
    if facts.https and not facts.own_tls and facts.plain_outside:
        yield _note(
            "tls",
            "The plain port behind the proxy listens for other machines too: set TEDUH_HTTP_HOST "
            "to localhost if the proxy runs here.",
        )
    if facts.certificate_until is None:
        if facts.https:
            yield _note("tls", "The certificate could not be looked at from here.")
    elif facts.certificate_until - facts.now < CERTIFICATE_LEFT:
        yield _wrong("tls", f"The certificate ends on {facts.certificate_until:%Y-%m-%d}.")
    else:
        yield _fine("tls", f"The certificate holds until {facts.certificate_until:%Y-%m-%d}.")


def metrics(facts: Facts) -> Iterator[Finding]:
    """Look at who can read the counters."""
    if facts.metrics_status is None:
        if facts.reach is not Reach.LOOPBACK:
            yield _note("metrics", "It could not be tried whether /metrics is open to strangers.")
    elif facts.metrics_status == 200:
        yield _wrong("metrics", "/metrics is open to strangers: the proxy must set X-Forwarded-For.")
    else:
        yield _fine("metrics", "/metrics is closed to strangers.")


def mail(facts: Facts) -> Iterator[Finding]:
    """Look at whether letters go out."""
    if facts.mail_set:
        yield _fine("mail", "A mail server is set.")
    else:
        yield _note(
            "mail",
            "No mail server is set (TEDUH_SMTP_URL): nobody hears of anything outside of teduh.",
        )


def checkpoints(facts: Facts) -> Iterator[Finding]:
    """Look at whether the audit's checkpoints get outside."""
    if not facts.checkpoints_set:
        yield _wrong(
            "checkpoints",
            "No checkpoint of the audit leaves this server: set TEDUH_AUDIT_CHECKPOINTS.",
        )
    elif facts.checkpoint_file is None:
        yield _fine("checkpoints", "Checkpoints go out by e-mail.")
    elif facts.checkpoint_at is None:
        yield _wrong("checkpoints", f"No checkpoint was written to {facts.checkpoint_file} yet.")
    elif facts.now - facts.checkpoint_at > CHECKPOINT_WITHIN:
        yield _wrong(
            "checkpoints",
            f"The last checkpoint is {_ago(facts.now - facts.checkpoint_at)} old: is teduh running?",
        )
    else:
        yield _fine("checkpoints", f"The last checkpoint is {_ago(facts.now - facts.checkpoint_at)} old.")


def room(facts: Facts) -> Iterator[Finding]:
    """Look at the disk."""
    level = _wrong if facts.free_bytes < MIN_FREE_BYTES else _fine
    yield level("disk", f"{facts.free_bytes / 1e9:.1f} GB are free in the data directory.")


def clock(facts: Facts) -> Iterator[Finding]:
    """Look at the time: codes of authenticator apps depend on it."""
    if facts.clock_synchronised is None:
        yield _note("time", "It could not be found out whether the clock is kept right.")
    elif facts.clock_synchronised:
        yield _fine("time", "The clock is kept right.")
    else:
        yield _wrong(
            "time",
            "Nothing keeps the clock right: run chrony or systemd-timesyncd, or codes of "
            "authenticator apps fail.",
        )


def duty(facts: Facts) -> Iterator[Finding]:
    """Look at the next days of the roster."""
    if facts.gaps:
        since, until = facts.gaps[0]
        hours = sum((end - begin for begin, end in facts.gaps), timedelta(0)) / timedelta(hours=1)
        yield _wrong(
            "roster",
            f"Nobody is on duty for {hours:.0f} hours of the next 7 days, "
            f"first from {since:{MOMENT}} to {until:{MOMENT}}.",
        )
    else:
        yield _fine("roster", "Somebody is on duty in each hour of the next 7 days.")
    if facts.thin:
        yield _note("roster", f"{facts.thin} times in the next 7 days there is no deputy.")
    if facts.unreached:
        yield _wrong(
            "roster",
            f"An urgent call reaches {', '.join(facts.unreached)} on an open page only: have them confirm an "
            "e-mail address in their inbox, with TEDUH_SMTP_URL set, or set TEDUH_ALERT_WEBHOOK.",
        )


def crisis(facts: Facts) -> Iterator[Finding]:
    """Look at the crisis lines and the words around them."""
    if not facts.lines:
        yield _wrong(
            "crisis",
            "The crisis page shows suggestions that nobody here has checked: see /admin/crisis.",
        )
    elif facts.stale_lines:
        yield _wrong("crisis", f"Not checked for more than 30 days: {', '.join(facts.stale_lines)}.")
    else:
        yield _fine("crisis", "All crisis lines were checked within 30 days.")
    if not facts.texts_signed:
        yield _wrong("crisis", "The words of the crisis page need a clinician's sign-off: see /admin/crisis.")


def complaints(facts: Facts) -> Iterator[Finding]:
    """Look at who takes complaints, and whether they are answered."""
    if not facts.officers:
        yield _wrong("complaints", "Nobody takes complaints: invite an officer.")
    else:
        yield _fine(
            "complaints",
            f"{facts.officers} {'person takes' if facts.officers == 1 else 'people take'} complaints.",
        )
    if facts.officers_in_line:
        yield _wrong("complaints", f"Officers must have no other role: {', '.join(facts.officers_in_line)}.")
    if facts.late_complaints:
        yield _wrong(
            "complaints",
            f"{facts.late_complaints} complaints were not answered in the promised time.",
        )


def staff(facts: Facts) -> Iterator[Finding]:
    """Look at second factors."""
    if facts.staff_without_factor:
        yield _wrong("staff", f"No second factor yet: {', '.join(facts.staff_without_factor)}.")
    else:
        yield _fine("staff", "All staff have a second factor.")
    if facts.tried_out:
        yield _wrong(
            "staff",
            f"Somebody who knows the password tried the second factor too often in the last "
            f"{_ago(TRIED_OUT_WITHIN)}: {', '.join(facts.tried_out)}. If it was not they, close the account.",
        )


def demo(facts: Facts) -> Iterator[Finding]:
    """Look at accounts of the demo where others come."""
    if facts.demo_open:
        yield _wrong(
            "demo",
            f"Accounts of the demo are open to whoever has their printed passwords: "
            f"{', '.join(facts.demo_open)}. Start teduh serve without --demo: that closes them.",
        )


def minors(facts: Facts) -> Iterator[Finding]:
    """Look at whether there is a policy for people under 18."""
    if facts.minors_policy:
        yield _fine("minors", "There is a policy for people under 18.")
    else:
        yield _note(
            "minors",
            "There is no policy for people under 18 (TEDUH_MINORS_POLICY): the service is 18+.",
        )


def erasing(facts: Facts) -> Iterator[Finding]:
    """Look at whether those who asked to be erased are."""
    if facts.late_erasures:
        yield _wrong(
            "erasing",
            f"{facts.late_erasures} {'person' if facts.late_erasures == 1 else 'people'} should have been "
            "erased an hour ago: is teduh running? See erasure.failed in its log.",
        )
    else:
        yield _fine("erasing", "Everybody who was to be erased is.")


def incidents(facts: Facts) -> Iterator[Finding]:
    """Look at the clocks of open incidents."""
    for title, left in facts.open_incidents:
        if left is None:
            yield _note("incidents", f"All are told, and it is still open: {title}.")
        elif left < timedelta(0):
            yield _wrong("incidents", f"The 72 hours are over by {_ago(-left)}: {title}.")
        else:
            yield _wrong("incidents", f"{_ago(left)} are left to tell everybody: {title}.")


def _ago(time: timedelta) -> str:
    hours = time / timedelta(hours=1)
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"


CHECKS: Final[tuple[Callable[[Facts], Iterator[Finding]], ...]] = (
    keys,
    backups,
    tls,
    metrics,
    checkpoints,
    room,
    clock,
    mail,
    staff,
    demo,
    duty,
    crisis,
    complaints,
    minors,
    erasing,
    incidents,
)
