-- The only function that appends to history.
-- It appends events, and returns their positions. If a stream that the decision has read has changed
-- since, it appends nothing and returns NULL. If the personal keys are not of the newest generation,
-- it appends nothing and returns {}.
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
