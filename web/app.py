"""The composition root: ``make_app`` builds everything and shares nothing; a test may build two."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable

from aiohttp import web as http

from accounts import texts
from accounts.audit import Audit
from accounts.checkpoints import Checkpoints
from accounts.codes import Codes
from accounts.erasure import Erasure
from accounts.passkeys import Passkeys
from accounts.passwords import Passwords
from accounts.printing import Printer
from accounts.receipts import Receipts
from accounts.roles import Permission
from accounts.throttle import Throttle
from accounts.tokens import Tokens
from accounts.tombstones import tombstones_in
from accounts.totp import Totps
from core.clock import Clock, SystemClock
from core.config import Config
from core.db import Database
from core.derive import derive
from core.keyfile import make_data_dir, master_key
from core.mail import Mail
from core.warrants import Warrants
from counseling.minors import read_policy
from migrations.run import upgrade
from recordings import guard
from recordings.vault import Vault
from web import (
    api,
    appointments,
    card,
    duties,
    exports,
    finishing,
    health,
    jobs,
    line,
    line_socket,
    metrics,
    pages,
    place,
    place_receipts,
    review_media,
    reviews,
    security,
    sitting,
    upkeep,
    uploads,
)
from web.access import REQUESTS, access
from web.bodies import MAX_BODY_BYTES
from web.client import own_origins
from web.engine import LiveEngine
from web.erasers import ERASERS
from web.errors import problems
from web.gate import add, gate, unguarded
from web.pages.errors import error_pages
from web.recording import LiveStudio
from web.services import SERVICES, Engine, Services

MakeEngine = Callable[[Config, Clock, Database, Tokens, LiveStudio], Engine]
BURST_S = 4  # how many seconds' worth of requests a key may send at once


def make_app(
    config: Config, *, clock: Clock | None = None, make_engine: MakeEngine = LiveEngine
) -> http.Application:
    """Build the application. Nothing runs and no port is open before it starts."""
    clock = clock or SystemClock()
    make_data_dir(config.data_dir)
    database = Database(config.database_url)
    master = config.master_key or master_key(config.data_dir)
    tokens = Tokens(master)
    audit = Audit(master)
    vault = Vault.of(config, master=master, clock=clock)
    studio = LiveStudio(config, audit, vault, database)
    engine = make_engine(config, clock, database, tokens, studio)
    app = http.Application(client_max_size=MAX_BODY_BYTES, middlewares=[access, problems, error_pages, gate])
    app[REQUESTS] = Counter()
    app[SERVICES] = Services(
        config=config,
        clock=clock,
        database=database,
        tokens=tokens,
        calls=engine.calls,
        survey=engine.survey,
        media=engine.media,
        asked=Throttle(config.api_requests_per_s, config.api_requests_per_s * BURST_S),
        audit=audit,
        subjects=audit.subjects,
        erasure=Erasure(audit, tombstones_in(config.data_dir, master), ERASERS),
        checkpoints=Checkpoints(
            master,
            directory=config.audit_checkpoints.directory,
            addresses=config.audit_checkpoints.addresses,
        ),
        passwords=Passwords(master),
        codes=Codes(master),
        totps=Totps(master),
        passkeys=Passkeys(config.public_host, own_origins(config)),
        receipts=Receipts(master, origin=config.public_url),
        vault=vault,
        warrants=Warrants(master),
        printer=Printer(),
        csrf_key=derive(master, "forms"),
        minors=read_policy(config.minors_policy),
        mail=Mail(config.smtp, sender=config.mail_sender, clock=clock) if config.smtp else None,
    )
    security.setup(app, config)
    uploads.setup(app)
    duties.setup(app, master=master)
    reviews.setup(app)
    for part in (
        api,
        place,
        place_receipts,
        card,
        health,
        metrics,
        pages,
        upkeep,
        sitting,
        line,
        line_socket,
        appointments,
        finishing,
        review_media,
        exports,
    ):
        part.setup(app)
    add(app, "GET", "/api/v1/signal", engine.signal, Permission.PLACE)
    if open_doors := unguarded(app):
        raise RuntimeError(f"routes without a permission: {', '.join(open_doors)}")
    _live_and_die(app, database, engine)
    return app


def _live_and_die(app: http.Application, database: Database, engine: Engine) -> None:
    """Open from the bottom up; close from the top down, telling everybody first (docs/closures.md)."""

    async def stores(app: http.Application) -> AsyncIterator[None]:
        try:
            await upgrade(database)
            services = app[SERVICES]
            await app[finishing.FINISHING].look_at_clock(services)
            async with database.sessions.begin() as db:
                await texts.put_first(db, now=services.now())
                await guard.check(db, services.vault)
            await services.erasure.apply(database.sessions, now=services.now())
            await app[finishing.FINISHING].begin_again(services)
            yield
        finally:
            app[SERVICES].passwords.close()
            await database.close()

    async def live(_app: http.Application) -> AsyncIterator[None]:
        try:
            await engine.start()
            yield
        finally:
            await engine.close()

    async def letters(app: http.Application) -> AsyncIterator[None]:
        mail = app[SERVICES].mail
        if mail is not None:
            await mail.start()
        yield
        if mail is not None:
            await mail.close()

    async def tell(_app: http.Application) -> None:
        await engine.tell_everybody()

    app.cleanup_ctx.extend((stores, letters, live, jobs.running, line_socket.running))
    app.on_shutdown.append(tell)
