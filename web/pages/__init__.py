"""The pages for people. `setup(app)` adds them all to an application."""

from __future__ import annotations

from aiohttp import web as http

from accounts.roles import Permission
from web.gate import add
from web.pages import (
    account,
    admin_audit,
    admin_consents,
    admin_incidents,
    admin_instruments,
    admin_minors,
    admin_people,
    admin_register,
    admin_roster,
    admin_settings,
    admin_texts,
    alarms,
    alternatives,
    cards,
    complaint,
    consents,
    counselor_messages,
    credentials,
    crisis,
    demo,
    desk,
    devices,
    enrol,
    enter,
    erase,
    front,
    hints,
    history,
    home,
    intake,
    invitation,
    language,
    messages,
    new_message,
    notices,
    officer,
    proofs,
    recovery,
    register,
    room,
    staff_login,
    start,
    supervisor,
    texts,
    urgent,
    waiting,
    walkin,
    wishes,
)
from web.pages import exit as quick_exit
from web.pages.assets import read_assets
from web.pages.site import SITE, Site
from web.render import make_renderer


def setup(app: http.Application) -> None:
    """Add every page, their files and the error pages to `app`, before it starts."""
    assets = read_assets()
    app[SITE] = Site(make_renderer(), assets)
    add(app, "GET", "/static/{digest}/{path:.+}", assets.serve, Permission.OPEN)
    for page in (
        front,
        room,
        language,
        quick_exit,
        home,
        admin_people,
        admin_settings,
        register,
        proofs,
        cards,
        supervisor,
        admin_register,
        notices,
        crisis,
        admin_roster,
        admin_minors,
        admin_incidents,
        admin_instruments,
        intake,
        hints,
        complaint,
        officer,
        start,
        enter,
        recovery,
        demo,
        devices,
        account,
        staff_login,
        enrol,
        invitation,
        credentials,
        history,
        erase,
        admin_audit,
        consents,
        texts,
        admin_texts,
        admin_consents,
        alarms,
        urgent,
        new_message,
        messages,
        counselor_messages,
        alternatives,
        walkin,
        waiting,
        wishes,
        desk,
    ):
        page.setup(app)
