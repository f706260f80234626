-- Tables of the workers.
-- It also brings a database from before the numbers (release 0.1.0) to this state, so existing
-- objects are left alone.

-- The last due time for which each scheduled task was enqueued.
CREATE TABLE IF NOT EXISTS schedule_runs (
    task     text PRIMARY KEY,
    last_due timestamptz NOT NULL
);
