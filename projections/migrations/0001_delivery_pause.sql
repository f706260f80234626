-- The pause of all deliveries.
-- A database of release 0.1.0, from before the numbers, gets here what it lacks: existing objects are
-- left alone.

-- One row while the notification service refuses the credentials, else none.
CREATE TABLE IF NOT EXISTS delivery_pause (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    reason      text        NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),
    probe_at    timestamptz NOT NULL,
    probe_every interval    NOT NULL
);
