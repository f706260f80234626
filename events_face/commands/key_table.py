"""The sub-commands of `keys`: API keys of other systems."""

from uuid import UUID

from events_face.commands.options import AS_JSON, Command, Option, seconds_of_grace

KEY = Option(flag="key_id", name="key_id", help="its id", more={"type": UUID, "metavar": "ID"})

KEY_COMMANDS: dict[str, Command] = {
    "keys create": Command(
        help="create an API key, and print it: no other command shows it",
        example="events-face keys create 'Ticket shop' --scope events:read --scope visitors:read",
        function="events_face.commands.keys:create",
        options=(
            Option(flag="name", name="name", help="its name", more={"metavar": "NAME"}),
            Option(
                flag="--scope",
                name="scopes",
                help="what the key may do; several: --scope again, or one after another",
                more={"action": "extend", "nargs": "+", "required": True, "metavar": "SCOPE"},
            ),
            Option(
                flag="--event",
                name="event_ids",
                help="the id of an event that the key is restricted to; several as with --scope",
                more={"action": "extend", "nargs": "+", "metavar": "ID"},
            ),
            Option(
                flag="--expires",
                name="expires_at",
                help="when the key ends: a date, or a time such as 2030-05-17T09:00:00Z",
                more={"metavar": "TIME"},
            ),
            AS_JSON,
        ),
    ),
    "keys list": Command(
        help="list the API keys, newest first",
        example="events-face keys list",
        function="events_face.commands.keys:list_all",
        options=(AS_JSON,),
    ),
    "keys roll": Command(
        help="give an API key another secret, and print it",
        example="events-face keys roll 019a0c5e-7d21-7c3b-8e55-2f6a1b9c0d34 --grace 3600",
        function="events_face.commands.keys:roll",
        options=(
            KEY,
            Option(
                flag="--grace",
                name="grace",
                help="seconds that earlier secrets still work (%(default)s)",
                more={"type": seconds_of_grace, "default": 0, "metavar": "SECONDS"},
            ),
            AS_JSON,
        ),
    ),
    "keys revoke": Command(
        help="revoke an API key; effective at once",
        example="events-face keys revoke 019a0c5e-7d21-7c3b-8e55-2f6a1b9c0d34",
        function="events_face.commands.keys:revoke",
        options=(KEY,),
    ),
}
