-- The request for a sync.
-- A database of release 0.1.0, from before the numbers, gets here what it lacks: existing objects are
-- left alone.

-- At most one row.
CREATE TABLE IF NOT EXISTS sync_requests (
    only_one       boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    full_sync      boolean     NOT NULL,
    actor          text        NOT NULL,
    correlation_id text        NOT NULL,
    asked_at       timestamptz NOT NULL DEFAULT now(),
    handed_over_at timestamptz
);
