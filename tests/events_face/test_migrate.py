"""`migrate` while the system runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg

from events_face.migrate import migrate
from events_face.services import Services
from events_face.settings import Settings
from tests.support.waiting import until


def test_it_does_not_wait_for_those_who_append_and_may_wait_for_it(
    settings: Settings, database_url: str
) -> None:
    services = Services(database_url=database_url, redis_url=None)
    with ThreadPoolExecutor(1) as thread, psycopg.connect(database_url) as appending:
        appending.execute("SELECT mark FROM installation_keys")
        appending.execute("INSERT INTO history_events VALUES (gen_random_uuid(), 1, '', '')")
        migrating = thread.submit(migrate, settings, services)
        until(migrating.done)
        migrating.result()
