"""The sub-commands that keep a copy of everything, and bring it back."""

from pathlib import Path

from events_face.commands.options import Command, Option

HOLD = Option(
    flag="--hold",
    name="hold",
    help="hold notifications that wait, until somebody queues them again",
    more={"action": "store_true"},
)

BACKUP_COMMANDS: dict[str, Command] = {
    "backup": Command(
        help="write the whole database to one file, while everything runs",
        example="events-face backup /backups/2030-05-17.dump",
        function="events_face.commands.backup:backup",
        options=(
            Option(
                flag="file",
                name="file",
                help="a new file; SECRET_KEY is not in it",
                more={"type": Path, "metavar": "FILE"},
            ),
        ),
    ),
    "restore": Command(
        help="fill an empty database from a backup",
        example="events-face restore /backups/2030-05-17.dump --hold",
        function="events_face.commands.restore:restore",
        needs_services=False,
        offline=True,
        options=(
            Option(
                flag="file",
                name="file",
                help="what `backup` wrote",
                more={"type": Path, "metavar": "FILE"},
            ),
            HOLD,
        ),
    ),
    "recovered": Command(
        help="what follows when PostgreSQL's own means brought the database back",
        example="events-face recovered --hold",
        function="events_face.commands.recovery:recover",
        options=(HOLD,),
    ),
}
