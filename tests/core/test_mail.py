"""Letters, handed to a real SMTP server."""

from __future__ import annotations

import asyncio
import io
import ssl
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from core.mail import BadAddress, Mail, check_address
from core.shapes import Smtp, Tls
from tests.fakes import FakeClock
from web.tls import context as tls_context


@dataclass
class Post:
    """A mail server of the test's own: keeps what came, and answers as told."""

    port: int = 0
    answers: list[str] = field(default_factory=list)
    came: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str | None, list[str]]] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.came.append(message)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def check(
        self, _server: object, _session: object, _envelope: object, _way: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login + b":" + data.password)
        return AuthResult(success=data.password == b"p@ss")


async def serve(post: Post) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(post, hostname="localhost", loop=loop), "127.0.0.1", 0)
    post.port = server.sockets[0].getsockname()[1]
    return server


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    made = Post()
    server = await serve(made)
    yield made
    server.close()
    await server.wait_closed()


def mail_to(port: int, **changed: object) -> Mail:
    options: dict[str, object] = {"sender": "teduh <post@example.org>", "retry_after_s": (0.01, 0.01)}
    return Mail(Smtp("127.0.0.1", port), clock=FakeClock(), **(options | changed))  # type: ignore[arg-type]  # a test's options


async def test_a_letter_arrives_as_it_was_written(post: Post) -> None:
    mail = mail_to(post.port)
    await mail.start()
    await mail.send("sekar@example.org", "Ada kabar", "Halo, ada pemberitahuan — silakan masuk.")
    await mail.sent()
    (letter,) = post.came
    assert (letter["From"], letter["To"], letter["Subject"]) == (
        "teduh <post@example.org>",
        "sekar@example.org",
        "Ada kabar",
    )
    assert letter.get_content().strip() == "Halo, ada pemberitahuan — silakan masuk."
    assert letter["Date"].datetime == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"].endswith("@example.org>")
    assert post.envelopes == [("post@example.org", ["sekar@example.org"])]
    assert mail.counters == {"sent": 1}
    await mail.close()


async def test_a_server_that_is_busy_is_asked_again(post: Post) -> None:
    post.answers = ["451 later", "451 later"]
    mail = mail_to(post.port)
    await mail.start()
    await mail.send("a@example.org", "s", "t")
    await mail.sent()
    assert len(post.came) == 1
    assert mail.counters == {"sent": 1}
    await mail.close()


async def test_a_no_for_good_is_not_asked_again(post: Post) -> None:
    post.answers = ["550 no such person"]
    mail = mail_to(post.port)
    await mail.start()
    await mail.send("a@example.org", "s", "t")
    await mail.send("b@example.org", "s", "t")
    await mail.sent()
    assert [letter["To"] for letter in post.came] == ["b@example.org"]
    assert mail.counters == {"failed": 1, "sent": 1}
    await mail.close()


async def test_a_dead_server_makes_nobody_wait_and_the_queue_is_bounded(
    unused_tcp_port: int, debug_log: io.StringIO
) -> None:
    mail = mail_to(unused_tcp_port, retry_after_s=(3600.0,), max_waiting=3)
    await mail.start()
    async with asyncio.timeout(2):
        for number in range(10):
            await mail.send(f"person{number}@example.org", "s", "t")
            await asyncio.sleep(0)
    assert 6 <= mail.counters["dropped"] <= 7
    async with asyncio.timeout(2):
        await mail.close()
        await mail.close()
    assert "mail.dropped" in debug_log.getvalue()
    assert "person" not in debug_log.getvalue()


async def test_a_letter_that_fails_for_a_while_holds_up_no_other(post: Post) -> None:
    post.answers = ["451 later"]
    mail = mail_to(post.port, retry_after_s=(0.3,))
    told: list[tuple[str, bool]] = []
    for who in ("first", "second", "third"):

        def tell(taken: bool, who: str = who) -> None:  # the one thing that is told
            told.append((who, taken))

        await mail.send(f"{who}@example.org", "s", "t", told=tell)
    await mail.start()
    async with asyncio.timeout(5):
        await mail.sent()
    assert [letter["To"].partition("@")[0] for letter in post.came] == ["second", "third", "first"]
    assert told == [("second", True), ("third", True), ("first", True)]
    await mail.close()


async def test_the_operators_letters_go_first_and_have_room_of_their_own(post: Post) -> None:
    mail = mail_to(post.port, max_waiting=2)
    lost: list[bool] = []
    for number in range(3):
        await mail.send(f"person{number}@example.org", "s", "t", told=lost.append)
    await mail.send("operator@example.org", "s", "t", operator=True)
    assert lost == [False]
    await mail.start()
    await mail.sent()
    assert [letter["To"].partition("@")[0] for letter in post.came] == ["operator", "person0", "person1"]
    assert mail.counters == {"sent": 3, "dropped": 1}
    await mail.close()


async def test_off_this_machine_nothing_goes_without_tls(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Smtp, "is_near", False)
    mail = mail_to(post.port, retry_after_s=())
    await mail.start()
    await mail.send("a@example.org", "s", "t")
    await mail.sent()
    assert post.came == []
    assert mail.counters == {"failed": 1}
    await mail.close()


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_it_logs_in_over_tls(scheme: str, tmp_path: Path) -> None:
    theirs = tls_context(Tls(), data_dir=tmp_path, names=["localhost"], now=datetime.now(UTC))
    ours = ssl.create_default_context(cafile=str(tmp_path / "self-signed.pem"))
    post = Post()
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {
        "authenticator": post.check,
        "auth_required": True,
        "hostname": "localhost",
        "loop": loop,
    }
    starts_plain = scheme == "smtp"
    options |= (
        {"tls_context": theirs, "require_starttls": True} if starts_plain else {"auth_require_tls": False}
    )

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it cannot know that TLS is below it
            return SMTP(post, **options)

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=None if starts_plain else theirs)
    number = server.sockets[0].getsockname()[1]
    mail = Mail(
        Smtp("localhost", number, "user", "p@ss", tls=scheme == "smtps"),
        sender="post@example.org",
        retry_after_s=(),
        context=ours,
    )
    await mail.start()
    await mail.send("a@example.org", "s", "t")
    await mail.sent()
    await mail.close()
    server.close()
    assert mail.counters == {"sent": 1}
    assert post.logins == [b"user:p@ss"]
    assert len(post.came) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c.d",
        "a@b.c\r\nBcc: x@y.z",
        "a@b..c",
        "a@.b",
        "a@b.",
        '"a"@b.c',
        "ä@b.c",
        "a@b.c,d@e.f",
        "<a@b.c>",
        "x" * 260 + "@b.c",
        "a\x00@b.c",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        check_address(text)


@pytest.mark.parametrize("text", ["a@b.c", "a.b+c@mail.example.co.id", "noreply@localhost", " a@b.c "])
def test_an_address_is_taken(text: str) -> None:
    assert check_address(text) == text.strip()
