"""The sub-commands of `visitors`: the people of one event."""

from pathlib import Path
from uuid import UUID

from events_face.commands.options import Command, Option

EVENT = Option(
    flag="event_id", name="event_id", help="the event's id", more={"type": UUID, "metavar": "EVENT"}
)
STATUS = Option(
    flag="--status",
    name="status",
    help="only visitors with this status",
    more={
        "choices": ("registered", "waiting", "unconfirmed", "cancelled", "lapsed", "erased"),
    },
)


def _switch(flag: str, name: str, what: str) -> Option:
    return Option(flag=flag, name=name, help=what, more={"action": "store_true"})


VISITOR_COMMANDS: dict[str, Command] = {
    "visitors list": Command(
        help="print the visitors of an event, those who came first come first",
        example="events-face visitors list 019a0c5e-7d21-7c3b-8e55-2f6a1b9c0d34 --status waiting",
        function="events_face.commands.visitors:list_all",
        options=(EVENT, STATUS),
    ),
    "visitors export": Command(
        help="write the visitors of an event as CSV",
        example="events-face visitors export 019a0c5e-7d21-7c3b-8e55-2f6a1b9c0d34 --output a.csv",
        function="events_face.commands.visitors:export",
        options=(
            EVENT,
            STATUS,
            Option(
                flag="--output",
                name="output",
                help="a new file; without it, or with -, to standard output",
                more={"type": Path, "metavar": "FILE"},
            ),
        ),
    ),
    "visitors import": Command(
        help="add visitors to an event from a CSV file with the columns full_name and email",
        example="events-face visitors import 019a0c5e-7d21-7c3b-8e55-2f6a1b9c0d34 fair.csv",
        function="events_face.commands.visitors:import_file",
        options=(
            EVENT,
            Option(
                flag="file",
                name="file",
                help="the file; - is standard input",
                more={"type": Path, "metavar": "FILE"},
            ),
            _switch("--dry-run", "dry_run", "only say what an import would do now"),
            _switch("--over-capacity", "over_capacity", "give seats although none is free"),
            _switch("--join-waiting-list", "join_waiting_list", "let people wait for a seat"),
            _switch("--silent", "silent", "send no message to the visitors"),
        ),
    ),
}
