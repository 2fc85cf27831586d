from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from accounts import grants, people
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Permission, Role
from accounts.subjects import KeyGone
from core.db import Database
from core.errors import ConfigError, Forbidden, InvalidState
from core.ids import UserId
from counseling import minors
from counseling.duty_tables import MinorDecisionRow
from counseling.minors import Admission, Decision, Kind, Policy, Why, admits, read_policy
from tests.fakes import FakeClock

ROOT = Path(__file__).parents[2]
MASTER = bytes(range(32))
POLICY = Policy(date(2026, 1, 15), 2, ("Dr. Ratna",), {"id": "a", "en": "b"}, {"id": "c", "en": "d"})
AT = datetime(2026, 3, 2, tzinfo=UTC)


def decision(kind: Kind, days: int = 0) -> Decision:
    return Decision(f"d_{days}", kind, "Dr. Ratna", UserId("u"), AT + timedelta(days=days))


@pytest.mark.parametrize(
    ("policy", "adult", "number", "crisis", "decisions", "why"),
    [
        (None, True, 5, False, [], Why.ADULT),
        (POLICY, True, 5, False, [], Why.ADULT),
        (None, False, 1, False, [], Why.NO_POLICY),
        (None, False, 1, True, [], Why.CRISIS),
        (POLICY, False, 9, True, [], Why.CRISIS),
        (POLICY, False, 1, False, [], Why.FIRST_TALK),
        (POLICY, False, 2, False, [], Why.NEEDS_DECISION),
        (POLICY, False, 2, False, [decision(Kind.CONSENT)], Why.CONSENT),
        (POLICY, False, 2, False, [decision(Kind.EXCEPTION)], Why.EXCEPTION),
        (POLICY, False, 2, False, [decision(Kind.CONSENT), decision(Kind.WITHDRAWN, 1)], Why.NEEDS_DECISION),
        (POLICY, False, 2, False, [decision(Kind.WITHDRAWN, 1), decision(Kind.CONSENT, 2)], Why.CONSENT),
        (POLICY, False, 2, False, [decision(Kind.EXCEPTION, 2), decision(Kind.CONSENT, 1)], Why.EXCEPTION),
    ],
)
def test_who_is_admitted(  # noqa: PLR0917  # a table of cases
    policy: Policy | None, adult: bool, number: int, crisis: bool, decisions: list[Decision], why: Why
) -> None:
    admitted = why not in {Why.NEEDS_DECISION, Why.NO_POLICY}
    found = admits(policy, adult=adult, number=number, crisis=crisis, decisions=decisions)
    assert found == Admission(admitted=admitted, why=why)


def test_the_example_is_a_policy() -> None:
    policy = read_policy(ROOT / "examples" / "minors.toml")
    assert policy is not None
    assert policy.consent_from_session == 2
    assert len(policy.may_decide) == 2
    assert "\n" not in policy.words["id"]


def test_without_a_file_there_is_none() -> None:
    assert read_policy(None) is None


GOOD = (ROOT / "examples" / "minors.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ("adopted_on = 2026-01-15", "", "adopted_on is missing"),
        ("adopted_on = 2026-01-15", 'adopted_on = "soon"', "must be a date"),
        ("adopted_on = 2026-01-15", "adopted_on = 2026-01-15T00:00:00Z", "must be a date"),
        ("from_session = 2", "from_session = 1", "the first talk is never gated"),
        ("from_session = 2", "from_session = true", "the first talk is never gated"),
        ("from_session = 2", 'from_session = "2"', "the first talk is never gated"),
        (
            'may_decide = ["Dr. Ratna Dewi, psikolog klinis", "Drs. Bambang Hadi, konselor BK"]',
            "may_decide = []",
            "by name",
        ),
        (
            'may_decide = ["Dr. Ratna Dewi, psikolog klinis", "Drs. Bambang Hadi, konselor BK"]',
            'may_decide = [" "]',
            "by name",
        ),
        ("[contact]", "[kontak]", "kontak, which means nothing here"),
        ('\nen = "The', '\nfr = "The', r"\[contact\] must hold id and en"),
        ("[words]", "[words", "it is no TOML"),
    ],
)
def test_a_policy_that_does_not_fit_is_refused_with_a_sentence(
    tmp_path: Path, found: str, instead: str, said: str
) -> None:
    assert found in GOOD
    path = tmp_path / "minors.toml"
    path.write_text(GOOD.replace(found, instead), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        read_policy(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_policy(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_policy(tmp_path / "bytes.toml")


async def somebody(database: Database, clock: FakeClock, *, adult: bool) -> tuple[Person, Person]:
    async with database.sessions.begin() as db:
        client = await people.create_client(db, name="Daun", language="id", adult=adult, now=clock.now())
        admin = await people.create_staff(
            db, name="Admin", language="id", roles={Role.ADMIN}, now=clock.now()
        )
    return client, admin


async def test_a_decision_is_recorded_with_its_reason_sealed(database: Database, clock: FakeClock) -> None:
    audit = Audit(MASTER)
    client, admin = await somebody(database, clock, adult=False)
    async with database.sessions.begin() as db:
        made = await minors.decide(
            db,
            audit,
            POLICY,
            client=client,
            kind=Kind.EXCEPTION,
            decider="Dr. Ratna",
            reason="wali adalah pelakunya",
            recorder=admin,
            now=clock.now(),
        )
        assert await minors.decisions_about(db, user=client.id) == [made]
        row = await db.get(MinorDecisionRow, made.id)
        assert row is not None
        assert b"wali" not in row.reason
        grant = await grants.give(
            db,
            audit,
            person=admin,
            permission=Permission.DECIDE_MINORS,
            subject=client.id,
            purpose="tinjau",
            now=clock.now(),
        )
        opened = await minors.reasons(db, grant, audit, user=client.id, now=clock.now())
        assert opened == {made.id: "wali adalah pelakunya"}
        with pytest.raises(Forbidden):
            await minors.reasons(db, grant, audit, user=admin.id, now=clock.now())
        entries = await audit.own(db, person=client.id)
    assert [entry.tag for entry in entries] == ["grant:give", "minor:decide"]
    assert entries[1].detail == {"kind": "exception", "decider": "Dr. Ratna"}


@pytest.mark.parametrize(("adult", "decider"), [(True, "Dr. Ratna"), (False, "Somebody")])
async def test_only_named_people_decide_and_only_about_minors(
    database: Database, clock: FakeClock, adult: bool, decider: str
) -> None:
    client, admin = await somebody(database, clock, adult=adult)
    async with database.sessions.begin() as db:
        with pytest.raises(InvalidState):
            await minors.decide(
                db,
                Audit(MASTER),
                POLICY,
                client=client,
                kind=Kind.CONSENT,
                decider=decider,
                reason="x",
                recorder=admin,
                now=clock.now(),
            )


async def test_erasing_leaves_no_reason(database: Database, clock: FakeClock) -> None:
    audit = Audit(MASTER)
    client, admin = await somebody(database, clock, adult=False)
    async with database.sessions.begin() as db:
        await minors.decide(
            db,
            audit,
            POLICY,
            client=client,
            kind=Kind.CONSENT,
            decider="Dr. Ratna",
            reason="surat wali",
            recorder=admin,
            now=clock.now(),
        )
        grant = await grants.give(
            db,
            audit,
            person=admin,
            permission=Permission.DECIDE_MINORS,
            subject=client.id,
            purpose="tinjau",
            now=clock.now(),
        )
        await minors.erase(db, user=client.id, now=clock.now())
        assert await minors.decisions_about(db, user=client.id) == []
        await audit.subjects.forget(db, subject=client.id)
        with pytest.raises(KeyGone):
            await minors.reasons(db, grant, audit, user=client.id, now=clock.now())
