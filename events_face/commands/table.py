"""The table of sub-commands: what each is for, what it takes, and the function that does it."""

import os

from events_face.commands.audit_table import AUDIT_COMMANDS
from events_face.commands.backup_table import BACKUP_COMMANDS
from events_face.commands.options import AS_JSON, QUEUES, Command, Option, count, queues, seconds
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
        help="run everything on this machine, embedding what is not configured",
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
                help="how many API processes share the port (%(default)s)",
                more={"type": count, "default": min(4, os.cpu_count() or 1)},
            ),
            Option(
                flag="--demo",
                name="demo",
                help="begin a new installation with a few events and visitors",
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
        help="keep the read tables up with history",
        example="events-face projector",
        function="events_face.commands.projector:projector",
        role=True,
    ),
    "worker": Command(
        help="deliver notifications and run periodic work",
        example="events-face worker --queues notifications",
        function="workers.worker:run",
        role=True,
        options=(
            Option(
                flag="--queues",
                name="queues",
                help="what of it, separated by commas (%(default)s)",
                more={"type": queues, "default": ",".join(QUEUES)},
            ),
        ),
    ),
    "scheduler": Command(
        help="start synchronisation and cleanup by their schedules",
        example="SYNC_SCHEDULE='*/15 * * * *' events-face scheduler",
        function="workers.scheduler:run",
        role=True,
    ),
    "sink": Command(
        help="a local notification service, which shows what it gets",
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
        ),
    ),
    "doctor": Command(
        help="check the installation, and say what to mend",
        example="events-face doctor",
        function="events_face.commands.doctor.command:doctor",
        needs_services=False,
        offline=True,
        options=(AS_JSON,),
    ),
    "ping": Command(
        help="whether the database and the broker answer",
        example="events-face ping",
        function="events_face.commands.ping:ping",
    ),
    "migrate": Command(
        help="create or upgrade every table",
        example="events-face migrate",
        function="events_face.commands.migrate:migrate",
        begins=True,
    ),
    "sync": Command(
        help="take events from the provider (EVENTS_PROVIDER_URL)",
        example="events-face sync --all",
        function="events_face.commands.sync:sync",
        options=(
            Option(
                flag="--all",
                name="full",
                help="everything, not only what has changed since the last time",
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
                help="seconds between two looks when nothing is due (%(default)s)",
                more={"type": seconds, "default": 1.0},
            ),
            Option(
                flag="--once",
                name="once",
                help="deliver what is due, then exit",
                more={"action": "store_true"},
            ),
            Option(
                flag="--now",
                name="now",
                help="what waits for a later try is due at once",
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
                help="how many days ago (CLEANUP_DAYS)",
                more={"type": days},
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
                help="what it signs in with",
                more={"required": True},
            ),
            Option(
                flag="--password",
                name="password",
                help="EVENTS_FACE_PASSWORD when it is not given, else it is asked for",
            ),
        ),
    ),
    "grant": Command(
        help="give an account a role",
        example="events-face grant ada organizer",
        function="events_face.commands.accounts:grant",
        options=(USER, ROLE),
    ),
    "revoke": Command(
        help="take a role from an account",
        example="events-face revoke ada organizer",
        function="events_face.commands.accounts:revoke",
        options=(
            USER,
            ROLE,
            Option(
                flag="--force",
                name="force",
                help="take the role of the last admin too",
                more={"action": "store_true"},
            ),
        ),
    ),
    "erase": Command(
        help="make one person's data unreadable everywhere, history included",
        example="events-face erase ada@example.com",
        function="events_face.commands.erase:erase",
        options=(
            Option(
                flag="email",
                name="email",
                help="what the person registered with",
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
    "rotate-keys": Command(
        help="wrap the keys of personal data under a new data key, while everything runs",
        example="events-face rotate-keys",
        function="events_face.commands.rotate_keys:rotate_keys",
    ),
    "projections status": Command(
        help="position, lag and row counts of every projection",
        example="events-face projections status",
        function="events_face.commands.projections_status:status",
        options=(AS_JSON,),
    ),
    "projections rebuild": Command(
        help="derive read tables from history again",
        example="events-face projections rebuild events areas",
        function="events_face.commands.projections_rebuild:rebuild",
        options=(
            Option(
                flag="names",
                name="names",
                help="the projections; all when none is named",
                more={"nargs": "*", "metavar": "NAME"},
            ),
        ),
    ),
    **AUDIT_COMMANDS,
    **BACKUP_COMMANDS,
}
"""Names of two words are grouped under the first, whose help is in GROUPS."""

GROUPS = {
    "projections": "look after the read tables",
    "audit": "read history, and prove that nobody has changed it",
}
