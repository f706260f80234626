-- What the workers keep for themselves. Safe to run again.

-- One row while the notification service refuses our credentials, none otherwise.
CREATE TABLE IF NOT EXISTS delivery_pause (
    only_one    boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    reason      text        NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),
    probe_at    timestamptz NOT NULL,
    probe_every interval    NOT NULL
);

-- For which of its due times each scheduled task was last handed to the workers.
CREATE TABLE IF NOT EXISTS schedule_runs (
    task     text PRIMARY KEY,
    last_due timestamptz NOT NULL
);
