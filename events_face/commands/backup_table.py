"""The commands for backup and restore."""

from pathlib import Path

from events_face.commands.options import Command, Option

HOLD = Option(
    flag="--hold",
    name="hold",
    help="hold waiting notifications until an operator queues them again",
    more={"action": "store_true"},
)

BACKUP_COMMANDS: dict[str, Command] = {
    "backup": Command(
        help="write the whole database to one file, also while the system runs",
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
                help="a file of `backup`",
                more={"type": Path, "metavar": "FILE"},
            ),
            HOLD,
        ),
    ),
    "recovered": Command(
        help="complete a restore that was done with PostgreSQL's own tools",
        example="events-face recovered --hold",
        function="events_face.commands.recovery:recover",
        options=(HOLD,),
    ),
}
