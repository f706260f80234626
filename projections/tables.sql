-- What does not follow from history. Safe to run again.

-- One row while the notification service refuses the credentials, none otherwise. The
-- workers write it.
CREATE TABLE IF NOT EXISTS delivery_pause (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    reason      text        NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),
    probe_at    timestamptz NOT NULL,
    probe_every interval    NOT NULL
);
