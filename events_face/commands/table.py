"""The table of sub-commands: what each is for, what it takes, and the function that does it."""

import os

from events_face.commands.audit_table import AUDIT_COMMANDS, PERSONAL
from events_face.commands.backup_table import BACKUP_COMMANDS
from events_face.commands.key_table import KEY_COMMANDS
from events_face.commands.options import (
    AS_JSON,
    QUEUES,
    Command,
    Option,
    count,
    position,
    queues,
    seconds,
)
from events_face.commands.visitor_table import VISITOR_COMMANDS
from events_face.commands.webhook_table import WEBHOOK_COMMANDS
from runtime.variables import days, port

HOST = Option(
    flag="--host", name="host", setting="app_host", help="the address to listen at (APP_HOST)"
)
PORT = Option(
    flag="--port",
    name="port",
    setting="app_port",
    help="the port to listen at (APP_PORT)",
    more={"type": port},
)
USER = Option(flag="username", name="username", help="the username", more={"metavar": "USER"})

ROLE = Option(
    flag="role",
    name="role",
    help="organizer, auditor or admin",
    more={"metavar": "ROLE", "choices": ("organizer", "auditor", "admin")},
)

COMMANDS: dict[str, Command] = {
    "up": Command(
        help="run the whole system on this machine; services that are not configured are embedded",
        example="events-face up --port 9000 --data-dir /var/lib/events-face",
        function="events_face.commands.up:up",
        needs_services=False,
        begins=True,
        options=(
            HOST,
            PORT,
            Option(
                flag="--workers",
                name="workers",
                help="number of API processes, which share the port (%(default)s)",
                more={"type": count, "default": min(4, os.cpu_count() or 1)},
            ),
            Option(
                flag="--demo",
                name="demo",
                help="fill a new installation with example data",
                more={"action": "store_true"},
            ),
            Option(
                flag="--mail",
                name="mail",
                help="the local sink gets messages as mails, and shows them",
                more={"action": "store_true"},
            ),
        ),
    ),
    "api": Command(
        help="answer HTTP requests",
        example="events-face api --host 0.0.0.0 --port 8000",
        function="api.server:serve",
        role=True,
        options=(HOST, PORT),
    ),
    "projector": Command(
        help="keep the read tables up to date with history",
        example="events-face projector",
        function="events_face.commands.projector:projector",
        role=True,
    ),
    "worker": Command(
        help="deliver notifications and webhooks, and run periodic work",
        example="events-face worker --queues notifications",
        function="workers.worker:run",
        role=True,
        options=(
            Option(
                flag="--queues",
                name="queues",
                help="what to work on, separated by commas (%(default)s)",
                more={"type": queues, "default": ",".join(QUEUES)},
            ),
        ),
    ),
    "scheduler": Command(
        help="start sync and cleanup on schedule, and seal history",
        example="SYNC_SCHEDULE='*/15 * * * *' events-face scheduler",
        function="workers.scheduler:run",
        role=True,
    ),
    "sink": Command(
        help="run a local notification service that shows what it receives",
        example="events-face sink --port 8001",
        function="workers.sink.server:run",
        role=True,
        needs_services=False,
        offline=True,
        options=(
            Option(
                flag="--host",
                name="host",
                help="the address to listen at (%(default)s)",
                more={"default": "127.0.0.1"},
            ),
            Option(
                flag="--port",
                name="port",
                help="the port to listen at (%(default)s)",
                more={"type": port, "default": 8001},
            ),
            Option(
                flag="--mail-port",
                name="mail_port",
                help="take mails at this port, too; the password is the sink's token",
                more={"type": port, "default": None},
            ),
        ),
    ),
    "doctor": Command(
        help="check the installation, and print how to fix problems",
        example="events-face doctor",
        function="events_face.commands.doctor.command:doctor",
        needs_services=False,
        offline=True,
        options=(AS_JSON,),
    ),
    "ping": Command(
        help="check whether the database and the broker answer",
        example="events-face ping",
        function="events_face.commands.ping:ping",
    ),
    "migrate": Command(
        help="create or upgrade all tables",
        example="events-face migrate",
        function="events_face.commands.migrate:migrate",
        begins=True,
    ),
    "schema check": Command(
        help="check whether the tables are those of this release",
        example="events-face schema check",
        function="events_face.commands.schema_check:check",
    ),
    "sync": Command(
        help="fetch events from the provider (EVENTS_PROVIDER_URL)",
        example="events-face sync --all",
        function="events_face.commands.sync:sync",
        options=(
            Option(
                flag="--all",
                name="full",
                help="all events, not only those changed since the last sync",
                more={"action": "store_true"},
            ),
        ),
    ),
    "outbox": Command(
        help="deliver notifications without a broker",
        example="events-face outbox --once",
        function="events_face.commands.outbox:outbox",
        options=(
            Option(
                flag="--sleep",
                name="sleep",
                help="seconds between two reads of the outbox when nothing is due (%(default)s)",
                more={"type": seconds, "default": 1.0},
            ),
            Option(
                flag="--once",
                name="once",
                help="deliver the notifications that are due, then exit",
                more={"action": "store_true"},
            ),
            Option(
                flag="--now",
                name="now",
                help="also deliver notifications that wait for a later attempt",
                more={"action": "store_true"},
            ),
        ),
    ),
    "cleanup": Command(
        help="remove events that took place long ago",
        example="events-face cleanup --days 30",
        function="events_face.commands.outbox:cleanup",
        options=(
            Option(
                flag="--days",
                name="days",
                setting="cleanup_days",
                help="minimum age in days (CLEANUP_DAYS)",
                more={"type": days},
            ),
        ),
    ),
    "retention": Command(
        help="forget the visitors of events that ended long ago",
        example="events-face retention --dry-run",
        function="events_face.commands.retention:retention",
        options=(
            Option(
                flag="--dry-run",
                name="dry_run",
                help="only print what would be forgotten now, and in the next 7 days",
                more={"action": "store_true"},
            ),
            Option(
                flag="--yes",
                name="yes",
                help="do not ask first",
                more={"action": "store_true"},
            ),
        ),
    ),
    "createsuperuser": Command(
        help="create an account with every role",
        example="events-face createsuperuser --username root",
        function="events_face.commands.accounts:createsuperuser",
        options=(
            Option(
                flag="--username",
                name="username",
                help="the username of the account",
                more={"required": True},
            ),
            Option(
                flag="--password",
                name="password",
                help="the password; default: EVENTS_FACE_PASSWORD, or a prompt",
            ),
        ),
    ),
    "grant": Command(
        help="grant a role to an account",
        example="events-face grant ada organizer",
        function="events_face.commands.accounts:grant",
        options=(USER, ROLE),
    ),
    "revoke": Command(
        help="revoke a role of an account",
        example="events-face revoke ada organizer",
        function="events_face.commands.accounts:revoke",
        options=(
            USER,
            ROLE,
            Option(
                flag="--force",
                name="force",
                help="revoke the role of the last admin, too",
                more={"action": "store_true"},
            ),
        ),
    ),
    "reset-password": Command(
        help="print a link, good once and for a day, where a new password is set",
        example="events-face reset-password ada",
        function="events_face.commands.accounts:reset_password",
        options=(USER,),
    ),
    **KEY_COMMANDS,
    "feed": Command(
        help="print the feed, one line of JSON for each item",
        example="events-face feed --after 4711 --follow",
        function="events_face.commands.feed:feed",
        options=(
            Option(
                flag="--after",
                name="after",
                help="only items after this position",
                more={"type": position, "default": 0, "metavar": "POSITION"},
            ),
            Option(
                flag="--follow",
                name="follow",
                help="wait for new items, and print each as it happens",
                more={"action": "store_true"},
            ),
            PERSONAL,
        ),
    ),
    **VISITOR_COMMANDS,
    "erase": Command(
        help="erase the personal data of one person, also from history",
        example="events-face erase ada@example.com",
        function="events_face.commands.erase:erase",
        options=(
            Option(
                flag="email",
                name="email",
                help="the email of the person's registrations",
                more={"metavar": "EMAIL"},
            ),
            Option(
                flag="--yes",
                name="yes",
                help="do not ask first",
                more={"action": "store_true"},
            ),
        ),
    ),
    "export-person": Command(
        help="print all that is known of one person, as JSON; history records it",
        example="events-face export-person ada@example.com > ada.json",
        function="events_face.commands.export_person:export",
        options=(
            Option(
                flag="email",
                name="email",
                help="the email of the person's registrations",
                more={"metavar": "EMAIL"},
            ),
        ),
    ),
    **WEBHOOK_COMMANDS,
    "rotate-keys": Command(
        help="replace the data key that encrypts the keys of personal data",
        example="events-face rotate-keys",
        function="events_face.commands.rotate_keys:rotate_keys",
    ),
    "seats check": Command(
        help="compare the seats and the waiting line of each event with history",
        example="events-face seats check",
        function="events_face.commands.seats:check",
    ),
    "seats recount": Command(
        help="make the seats and the waiting line of each event as history says",
        example="events-face seats recount",
        function="events_face.commands.seats:recount",
    ),
    "projections status": Command(
        help="print position, lag and row count of each projection",
        example="events-face projections status",
        function="events_face.commands.projections_status:status",
        options=(AS_JSON,),
    ),
    "projections rebuild": Command(
        help="rebuild read tables from history",
        example="events-face projections rebuild events areas",
        function="events_face.commands.projections_rebuild:rebuild",
        options=(
            Option(
                flag="names",
                name="names",
                help="the projections; default: all",
                more={"nargs": "*", "metavar": "NAME"},
            ),
        ),
    ),
    **AUDIT_COMMANDS,
    **BACKUP_COMMANDS,
}
"""Names of two words are sub-commands of the first word; GROUPS has the help of the first words."""

GROUPS = {
    "schema": "check the tables",
    "keys": "manage the API keys of other systems",
    "visitors": "list, export and import the visitors of an event",
    "seats": "recount the seats of events",
    "projections": "manage the read tables",
    "webhooks": "see how webhooks are sent, and send items again",
    "audit": "read history, and prove that it was not changed",
}
