"""The table of the sub-commands `webhooks`."""

from uuid import UUID

from events_face.commands.options import AS_JSON, Command, Option, position

_ID = Option(
    flag="webhook_id",
    name="webhook_id",
    help="the id of the webhook",
    more={"type": UUID, "metavar": "ID"},
)

WEBHOOK_COMMANDS: dict[str, Command] = {
    "webhooks list": Command(
        help="print the webhooks, and how far each was sent",
        example="events-face webhooks list",
        function="events_face.commands.webhooks:list_all",
        options=(AS_JSON,),
    ),
    "webhooks attempts": Command(
        help="print the newest attempts to send items to a webhook",
        example="events-face webhooks attempts 0197a3f2-6c1e-7d4a-8b55-3e9f0c2a7d11",
        function="events_face.commands.webhooks:attempts",
        options=(_ID, AS_JSON),
    ),
    "webhooks resend": Command(
        help="send the items after a position of history again",
        example="events-face webhooks resend 0197a3f2-6c1e-7d4a-8b55-3e9f0c2a7d11 --after 4711",
        function="events_face.commands.webhooks:resend",
        options=(
            _ID,
            Option(
                flag="--after",
                name="after",
                help="the position",
                more={"type": position, "required": True, "metavar": "POSITION"},
            ),
        ),
    ),
}
