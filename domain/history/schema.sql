-- The tables of history, and the only function that appends to it. Safe to run again.

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

-- Appends events, and returns their positions. If a stream that the decision has read has changed
-- since, it appends nothing and returns NULL. If the personal keys are not of the newest
-- generation, it appends nothing and returns {}.
-- The lock is held until the end of the transaction, so positions are committed in order: a reader
-- that has read up to position N has seen all events before N. It is an advisory lock, because a
-- table lock, as in the library, and autovacuum would block each other.
CREATE OR REPLACE FUNCTION append_to_history(
    read_ids     uuid[],
    read_versions bigint[],
    event_ids    uuid[],
    versions     bigint[],
    topics       text[],
    states       bytea[],
    wrapped_keys bytea[]
) RETURNS bigint[] LANGUAGE plpgsql
-- One generic plan, which must not be a sequential scan although the table may be small at first.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    positions bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('append_to_history'));

    IF EXISTS (
        SELECT FROM unnest(read_ids, read_versions) AS seen (id, version)
        CROSS JOIN LATERAL (
            SELECT max(e.originator_version) AS version FROM history_events e
            WHERE e.originator_id = seen.id -- a look-up for each, however the join is planned
        ) AS stream
        WHERE coalesce(stream.version, 0) <> seen.version
    ) THEN
        RETURN NULL;
    END IF;

    IF EXISTS (
        SELECT FROM unnest(wrapped_keys) AS new (wrapped), installation_keys AS newest
        WHERE substr(new.wrapped, 61) <> newest.mark
    ) THEN
        RETURN '{}';
    END IF;

    WITH appended AS (
        INSERT INTO history_events (originator_id, originator_version, topic, state)
        SELECT id, version, topic, state
        FROM unnest(event_ids, versions, topics, states)
             WITH ORDINALITY AS new (id, version, topic, state, place)
        ORDER BY place
        RETURNING notification_id
    )
    SELECT array_agg(notification_id ORDER BY notification_id) INTO positions FROM appended;

    INSERT INTO personal_keys (originator_id, originator_version, wrapped)
    SELECT id, version, wrapped
    FROM unnest(event_ids, versions, wrapped_keys) AS new (id, version, wrapped)
    WHERE wrapped IS NOT NULL;

    PERFORM pg_notify('history', positions[cardinality(positions)]::text);
    RETURN positions;
END $$;
