"""Every module with tables: what is at work on the database knows all that they refer to."""

from __future__ import annotations

import accounts.auth_tables
import accounts.consent_tables
import accounts.notice_tables
import accounts.tables
import accounts.trust_tables
import counseling.appointment_tables
import counseling.drop_tables
import counseling.duty_tables
import counseling.intake_tables
import counseling.message_tables
import counseling.preparation_tables
import counseling.register_tables
import counseling.urgent_tables
import counseling.way_tables
import recordings.review_tables
import recordings.tables
import signaling.tables

TABLES = (
    accounts.tables,
    accounts.auth_tables,
    accounts.consent_tables,
    accounts.notice_tables,
    accounts.trust_tables,
    counseling.appointment_tables,
    counseling.drop_tables,
    counseling.duty_tables,
    counseling.intake_tables,
    counseling.message_tables,
    counseling.preparation_tables,
    counseling.register_tables,
    counseling.urgent_tables,
    counseling.way_tables,
    recordings.review_tables,
    recordings.tables,
    signaling.tables,
)
