-- How far each webhook has been sent, and what waits for another try
-- (docs/decisions/0069-delivery-of-webhooks.md).

CREATE TABLE webhook_cursors (
    webhook_id    uuid PRIMARY KEY,
    position      bigint      NOT NULL, -- all items up to here are taken, parked or given up
    previous      bigint,               -- the last item up to there
    taken_ahead   bigint[]    NOT NULL DEFAULT '{}', -- items after it that are taken or parked
    lease_token   uuid,                 -- of the worker that sends
    leased_until  timestamptz NOT NULL DEFAULT '-infinity',
    failing_since timestamptz           -- every try since then has failed
) WITH (fillfactor = 50);

-- A test has the position 0. Items behind another of the same visitor or event have no due_at.
CREATE TABLE webhook_parked (
    webhook_id uuid   NOT NULL,
    position   bigint NOT NULL,
    stream     uuid   NOT NULL, -- the visitor, or the event of an item without one
    previous   bigint,
    tries      int    NOT NULL,
    due_at     timestamptz,
    PRIMARY KEY (webhook_id, position)
);
CREATE INDEX webhook_parked_due ON webhook_parked (webhook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_parked_stream ON webhook_parked (webhook_id, stream, position);

CREATE TABLE webhook_attempts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id uuid        NOT NULL,
    position   bigint      NOT NULL,
    type       text        NOT NULL,
    at         timestamptz NOT NULL,
    status     int,                  -- of the answer; null without one
    answer_ms  int         NOT NULL,
    error      text                  -- null when the item was taken
);
CREATE INDEX webhook_attempts_of ON webhook_attempts (webhook_id, id);
