-- Requests for rebuilds.
-- A database of release 0.1.0, from before the numbers, gets here what it lacks: existing objects are
-- left alone.

-- The rebuilds that are asked for, and those that failed.
CREATE TABLE IF NOT EXISTS rebuild_requests (
    projection     text PRIMARY KEY,
    actor          text        NOT NULL,
    correlation_id text        NOT NULL,
    asked_at       timestamptz NOT NULL DEFAULT now(),
    handed_over_at timestamptz,
    failed_at      timestamptz,
    failed_because text
);
