-- The tables of history.
-- A database of release 0.1.0, from before the numbers, gets here what it lacks: existing objects are
-- left alone.

-- The tables of events and snapshots have the schema of the eventsourcing library, so that its
-- Application can read them. Rows are only added, so vacuum can wait; analyze cannot.
CREATE TABLE IF NOT EXISTS history_events (
    originator_id      uuid   NOT NULL,
    originator_version bigint NOT NULL,
    topic              text,
    state              bytea,
    notification_id    bigserial,
    PRIMARY KEY (originator_id, originator_version)
) WITH (
    autovacuum_vacuum_threshold = 100000000,
    autovacuum_vacuum_scale_factor = 0.5,
    autovacuum_analyze_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01
);

CREATE TABLE IF NOT EXISTS history_snapshots (
    originator_id      uuid   NOT NULL,
    originator_version bigint NOT NULL,
    topic              text,
    state              bytea,
    PRIMARY KEY (originator_id, originator_version)
);

CREATE TABLE IF NOT EXISTS installation_keys (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    wrapped  bytea NOT NULL
);

-- One key for each event with personal data. Deleting the key makes the data unreadable forever.
-- The 60 bytes of the encrypted key are followed by the mark of its data key's generation.
CREATE TABLE IF NOT EXISTS personal_keys (
    originator_id      uuid   NOT NULL,
    originator_version bigint NOT NULL,
    wrapped            bytea  NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
);

-- Existing objects are not touched: IF NOT EXISTS would lock the tables first, which can deadlock
-- with an append.
DO $$ BEGIN
    -- No statistics: a deleted key could remain in their samples.
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('personal_keys') AND attname = 'wrapped'
          AND attstattarget IS DISTINCT FROM 0
    ) THEN
        ALTER TABLE personal_keys ALTER COLUMN wrapped SET STATISTICS 0;
    END IF;

    IF to_regclass('history_events_notification_id_idx') IS NULL THEN
        CREATE UNIQUE INDEX history_events_notification_id_idx ON history_events (notification_id);
    END IF;

    -- Finds the streams that may have registrations of a person, see domain.erasure.
    IF to_regclass('history_events_created_events') IS NULL THEN
        CREATE INDEX history_events_created_events
            ON history_events (originator_id) WHERE topic = 'Event.Created';
    END IF;

    -- The mark of the newest generation, at the end of personal keys that it wraps.
    IF NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('installation_keys') AND attname = 'mark'
    ) THEN
        ALTER TABLE installation_keys ADD COLUMN mark bytea NOT NULL DEFAULT '';
    END IF;
END $$;
