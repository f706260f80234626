-- Tables of the workers.
-- A database of release 0.1.0, from before the numbers, gets here what it lacks: existing objects are
-- left alone.

-- The last due time for which each scheduled task was enqueued.
CREATE TABLE IF NOT EXISTS schedule_runs (
    task     text PRIMARY KEY,
    last_due timestamptz NOT NULL
);
