-- Tables of the workers. Safe to run again.

-- The last due time for which each scheduled task was enqueued.
CREATE TABLE IF NOT EXISTS schedule_runs (
    task     text PRIMARY KEY,
    last_due timestamptz NOT NULL
);
