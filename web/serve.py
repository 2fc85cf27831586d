"""``teduh serve``: from the settings to a server that says where to go, and to its orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import os
import resource
import signal
import ssl
from collections.abc import Callable, Sequence

from aiohttp import web as http

from accounts.roles import Role as AccountRole
from core.addresses import local_interfaces, usable
from core.clock import SystemClock
from core.config import Config
from core.errors import ConfigError
from signaling.directory import Role
from web import tls
from web.app import make_app
from web.demo import DemoPerson, find, make_demo, make_people, settle
from web.listen import listen
from web.pages.demo import DEMO
from web.services import SERVICES

logger = logging.getLogger(__name__)

STOP_WITHIN_S = 4.5
OPEN_FILES = 65_536
LINGER_S = 0.5  # how long open HTTP connections may finish


async def serve(config: Config, *, demo: bool, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then tell everybody and end within five seconds."""
    allow_many_sockets()
    async with contextlib.AsyncExitStack() as stack:
        sockets = listen(config.http_host, config.http_port)
        for one in sockets:
            stack.callback(one.close)
        config = with_port(config, sockets[0].getsockname()[1])
        context = tls_context(config)
        runner = http.AppRunner(
            make_app(config), access_log=None, handle_signals=False, shutdown_timeout=LINGER_S
        )
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        stack.push_async_callback(_end, runner)
        await runner.setup()
        await settle(runner.app[SERVICES], demo=demo)
        for one in sockets:
            await http.SockSite(runner, one, ssl_context=context, backlog=512).start()
        await _announce(runner.app, config, demo=demo, say=say)
        gc.collect()
        gc.freeze()
        await stop.wait()
        logger.info("serve.stopping")


def allow_many_sockets() -> None:
    """Raise the soft limit of open files, often 1024, as far as the system allows without asking."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def with_port(config: Config, port: int) -> Config:
    """Put the port that was really opened in the place of 0, also in a URL that was not set."""
    if config.http_port == port:
        return config
    default = Config(tls=config.tls, http_port=config.http_port).public_url
    url = "" if config.public_url == default else config.public_url
    return dataclasses.replace(config, http_port=port, public_url=url)


def tls_context(config: Config) -> ssl.SSLContext | None:
    """Make the TLS context that the settings ask for; None for plain HTTP."""
    if config.tls is None:
        return None
    names = dict.fromkeys((config.public_host, "localhost", *usable(local_interfaces())))
    return tls.context(config.tls, data_dir=config.data_dir, names=[*names], now=SystemClock().now())


async def _announce(app: http.Application, config: Config, *, demo: bool, say: Callable[[str], None]) -> None:
    say(f"teduh serves at {config.public_url}")
    if not demo:
        return
    services = app[SERVICES]
    invented = await make_people(services)
    app[DEMO].extend(invented)
    try:
        async with services.database.sessions() as db:
            client, counselor = [await find(services, db, login=login) for login in ("sekar", "bima")]
        users = {Role.CLIENT: client.id, Role.COUNSELOR: counselor.id} if client and counselor else {}
        links = await make_demo(services.database, config, now=services.now(), users=users)
    except ConfigError as error:
        say(str(error))
        _tell(invented, say)
        return
    say(f"Be one of the demo people with one tap: {config.public_url}/demo")
    _tell(invented, say)
    say("From the front page to a talk: be Bima there and open his desk; then, in a private window,")
    say(f"  press Talk now at {config.public_url}")
    say("A demo session. Open both links, in two windows of one browser if you like:")
    for role, link in links.items():
        say(f"  {role.value:<10} {link}")


def _tell(invented: Sequence[DemoPerson], say: Callable[[str], None]) -> None:
    """Say how to log in as each; staff set up their second step when they first do."""
    for one in invented:
        way = "/enter with" if one.role is AccountRole.CLIENT else f"/staff/login as {one.login} with"
        say(f"  {one.role.value:<10} {one.name:<6} {way} {one.secret}")


async def _end(runner: http.AppRunner) -> None:
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await runner.cleanup()
    except TimeoutError:
        # Whatever still holds on, a database that does not answer above all, gets no more time.
        logger.warning("serve.stopped_late")
        logging.shutdown()
        os._exit(1)
