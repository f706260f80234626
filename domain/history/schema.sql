-- History's tables and the one way to append to it. Safe to run again.

-- The tables of events and snapshots are as the eventsourcing library would create them, for its
-- Application to read. They are only ever added to, so vacuuming can wait; analyzing cannot.
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

-- One key per event with personal data. Deleting it makes that data unreadable for ever. What
-- follows the sealed key's 60 bytes is the mark of the generation that it is wrapped under.
CREATE TABLE IF NOT EXISTS personal_keys (
    originator_id      uuid   NOT NULL,
    originator_version bigint NOT NULL,
    wrapped            bytea  NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
);

-- What is there is not touched: IF NOT EXISTS would lock the tables first, and who appends holds
-- rows of others by then, for which a migration waits in its turn.
DO $$ BEGIN
    -- No samples of it are kept as statistics, where a deleted key would live on.
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

    -- Where a person's registrations may be, see domain.erasure.
    IF to_regclass('history_events_created_events') IS NULL THEN
        CREATE INDEX history_events_created_events
            ON history_events (originator_id) WHERE topic = 'Event.Created';
    END IF;

    -- What keys of personal data end with that are wrapped under the newest generation.
    IF NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('installation_keys') AND attname = 'mark'
    ) THEN
        ALTER TABLE installation_keys ADD COLUMN mark bytea NOT NULL DEFAULT '';
    END IF;
END $$;

-- Appends events unless a stream that the decision read has moved since; then it answers NULL.
-- When the personal keys are not of the newest generation it answers {} and appends nothing.
-- The lock is held from here to the end of the transaction, so positions are committed in order:
-- who reads up to position N has seen all before N. It is an advisory lock, not the library's
-- table lock, because a table lock and autovacuum would hold each other up.
CREATE OR REPLACE FUNCTION append_to_history(
    read_ids     uuid[],
    read_versions bigint[],
    event_ids    uuid[],
    versions     bigint[],
    topics       text[],
    states       bytea[],
    wrapped_keys bytea[]
) RETURNS bigint[] LANGUAGE plpgsql
-- One plan for ever, which must not be one for the young table that it may be made for.
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
