-- What the workers keep for themselves. Safe to run again.

-- For which of its due times each scheduled task was last handed to the workers.
CREATE TABLE IF NOT EXISTS schedule_runs (
    task     text PRIMARY KEY,
    last_due timestamptz NOT NULL
);
