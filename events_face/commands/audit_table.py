"""The sub-commands of `audit`: reading history, and proving that it was not changed."""

from pathlib import Path
from uuid import UUID

from events_face.commands.options import AS_JSON, Command, Option, count, position

AGGREGATE = Option(
    flag="aggregate_id", name="aggregate_id", help="its id", more={"type": UUID, "metavar": "ID"}
)
AFTER = Option(
    flag="--after",
    name="after",
    help="only events after this position",
    more={"type": position, "metavar": "POSITION"},
)
CRITERIA = (
    Option(
        flag="--aggregate",
        name="aggregate_id",
        help="only events of this aggregate",
        more={"type": UUID, "metavar": "ID"},
    ),
    Option(flag="--type", name="type", help="only this type: Event.Closed, or all of Event"),
    Option(
        flag="--actor",
        name="actor",
        help="only events of this actor: the id of an account, anonymous, or system:ROLE",
    ),
    Option(
        flag="--from",
        name="since",
        help="only from this time on",
        more={"metavar": "TIME"},
    ),
    Option(
        flag="--until",
        name="until",
        help="only before this time",
        more={"metavar": "TIME"},
    ),
)
PERSONAL = Option(
    flag="--personal",
    name="personal",
    help="with names and emails; history records that they were read",
    more={"action": "store_true"},
)

AUDIT_COMMANDS: dict[str, Command] = {
    "audit log": Command(
        help="print the last events: who did what",
        example="events-face audit log --type Event --from 2030-05-17",
        function="events_face.commands.audit_log:log",
        options=(
            *CRITERIA,
            AFTER,
            Option(
                flag="--limit",
                name="limit",
                help="maximum number of events (%(default)s)",
                more={"type": count, "default": 50},
            ),
            Option(
                flag="--follow",
                name="follow",
                help="also print new events, until Ctrl-C",
                more={"action": "store_true"},
            ),
            PERSONAL,
            AS_JSON,
        ),
    ),
    "audit show": Command(
        help="print an aggregate as it is now, or was at a moment",
        example="events-face audit show $EVENT --at 2030-05-17T12:00Z",
        function="events_face.commands.audit_state:show",
        options=(
            AGGREGATE,
            Option(
                flag="--at",
                name="at",
                help="a position or a time; default: now",
                more={"metavar": "MOMENT"},
            ),
            AS_JSON,
        ),
    ),
    "audit diff": Command(
        help="print the changes of an aggregate between two moments",
        example="events-face audit diff $EVENT --from 2030-05-17",
        function="events_face.commands.audit_state:diff",
        options=(
            AGGREGATE,
            Option(
                flag="--from",
                name="start",
                help="a position or a time",
                more={"metavar": "MOMENT", "required": True},
            ),
            Option(
                flag="--to",
                name="end",
                help="a position or a time; default: now",
                more={"metavar": "MOMENT"},
            ),
            AS_JSON,
        ),
    ),
    "audit export": Command(
        help="write history as JSON Lines",
        example="events-face audit export --output history.jsonl --resume",
        function="events_face.commands.audit_export:export",
        options=(
            *CRITERIA,
            AFTER,
            Option(
                flag="--output",
                name="output",
                help="a new file; default: standard output",
                more={"type": Path, "metavar": "FILE"},
            ),
            Option(
                flag="--resume",
                name="resume",
                help="continue the file of an interrupted export",
                more={"action": "store_true"},
            ),
            PERSONAL,
        ),
    ),
    "audit verify": Command(
        help="compare all of history with its seals, and print the first change",
        example="events-face audit verify --checkpoint pinned.jsonl",
        function="events_face.commands.audit_proof:verify",
        options=(
            Option(
                flag="--checkpoint",
                name="checkpoint",
                help="a file of pinned checkpoints, one per line, to compare with history",
                more={"type": Path, "metavar": "FILE"},
            ),
            AS_JSON,
        ),
    ),
    "audit checkpoint": Command(
        help="print the newest signed checkpoint, to store in another place",
        example="events-face audit checkpoint >> pinned.jsonl",
        function="events_face.commands.audit_proof:checkpoint",
    ),
    "audit public-key": Command(
        help="print the public key that checks proofs and checkpoints",
        example="events-face audit public-key > events-face.pem",
        function="events_face.commands.audit_proof:public_key",
    ),
    "audit prove": Command(
        help="print a proof that an event is in the sealed history, with the stored event",
        example="events-face audit prove 42 > proof.json",
        function="events_face.commands.audit_proof:prove",
        options=(
            Option(
                flag="position",
                name="position",
                help="the event's position in history",
                more={"type": position, "metavar": "POSITION"},
            ),
        ),
    ),
    "audit check-proof": Command(
        help="check a proof; with --public-key anywhere, without a database or settings",
        example="events-face audit check-proof proof.json --public-key events-face.pem",
        function="events_face.commands.audit_proof:check_proof",
        needs_services=False,
        offline=True,
        options=(
            Option(
                flag="file",
                name="file",
                help="the output of `audit prove`",
                more={"type": Path, "metavar": "FILE"},
            ),
            Option(
                flag="--public-key",
                name="public_key",
                help="the output of `audit public-key`; default: the key of this installation",
                more={"type": Path, "metavar": "FILE"},
            ),
        ),
    ),
}
