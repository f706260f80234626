-- The endpoints that get the items of the feed. The rows are written with the append
-- (docs/decisions/0068-webhooks.md).

CREATE TABLE webhooks (
    id               uuid PRIMARY KEY,
    version          bigint      NOT NULL, -- of the aggregate
    url              text        NOT NULL,
    types            text[]      NOT NULL, -- empty: all
    event_id         uuid,                 -- null: all events
    personal         boolean     NOT NULL,
    enabled          boolean     NOT NULL,
    disabled_because text,                 -- null unless Events-Face disabled it
    secret           bytea       NOT NULL, -- sealed
    former_secret    bytea,                -- sealed; signs too until former_until
    former_until     timestamptz,
    made_by          text        NOT NULL, -- the actor
    created_at       timestamptz NOT NULL,
    created_position bigint      NOT NULL  -- items after it are sent
);
