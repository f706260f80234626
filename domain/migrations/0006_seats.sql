-- How many seats of each event are taken, and who waits for one, in which order.
-- Both are derived from history and written by append_to_history alone, in the transaction of the
-- events (docs/decisions/0058-seats.md).

CREATE TABLE event_seats (
    event_id uuid PRIMARY KEY,
    taken    int NOT NULL,
    waiting  int NOT NULL
) WITH (fillfactor = 50); -- room for the next version of a row beside it

CREATE TABLE event_queue (
    event_id   uuid   NOT NULL,
    position   bigint NOT NULL, -- in history, of the event with which the visitor joined
    visitor_id uuid   NOT NULL UNIQUE,
    PRIMARY KEY (event_id, position)
);

-- The only function that appends to history.
-- It appends events, and returns their positions. If a stream that the decision has read has changed
-- since, or seats are outside of what it rests on, it appends nothing and returns NULL as positions.
-- If the personal keys are not of the newest generation, it appends nothing and returns {}.
-- now_taken and now_waiting are the counters after it, in the order of seat_events.
-- The lock is held until the end of the transaction, so positions are committed in order: a reader
-- that has read up to position N has seen all events before N. It is an advisory lock, because a
-- table lock, as in the library, and autovacuum would block each other.
CREATE FUNCTION append_to_history(
    read_ids      uuid[],
    read_versions bigint[],
    event_ids     uuid[],
    versions      bigint[],
    topics        text[],
    states        bytea[],
    wrapped_keys  bytea[],
    seat_events   uuid[],
    more_taken    int[],
    more_waiting  int[],
    taken_min     int[], -- what the decisions rest on: the counters before the append
    taken_max     int[],
    waiting_min   int[],
    waiting_max   int[],
    left_queue    uuid[], -- visitors
    joined        uuid[], -- visitors
    joined_events uuid[], -- of which event the queue is
    joined_at     int[],  -- index of the event whose position in history is the place in the queue
    takes_places  uuid[], -- the visitor in left_queue whose place it is instead, or null
    OUT positions   bigint[],
    OUT now_taken   int[],
    OUT now_waiting int[]
) LANGUAGE plpgsql
-- One generic plan, which must not be a sequential scan although the table may be small at first.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    refused       boolean;
    gone_visitors uuid[];
    gone_places   bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('append_to_history'));

    IF cardinality(seat_events) > 0 THEN
        SELECT array_agg(coalesce(s.taken, 0) ORDER BY n.place),
               array_agg(coalesce(s.waiting, 0) ORDER BY n.place),
               bool_or(coalesce(s.taken, 0) NOT BETWEEN n.taken_min AND n.taken_max
                       OR coalesce(s.waiting, 0) NOT BETWEEN n.waiting_min AND n.waiting_max)
        INTO now_taken, now_waiting, refused
        FROM unnest(seat_events, taken_min, taken_max, waiting_min, waiting_max) WITH ORDINALITY
             AS n (event_id, taken_min, taken_max, waiting_min, waiting_max, place)
        LEFT JOIN event_seats s ON s.event_id = n.event_id;
        IF refused THEN
            RETURN;
        END IF;
    END IF;

    IF EXISTS (
        SELECT FROM unnest(read_ids, read_versions) AS seen (id, version)
        CROSS JOIN LATERAL (
            SELECT max(e.originator_version) AS version FROM history_events e
            WHERE e.originator_id = seen.id -- a look-up for each, however the join is planned
        ) AS stream
        WHERE coalesce(stream.version, 0) <> seen.version
    ) THEN
        RETURN;
    END IF;

    IF EXISTS (
        SELECT FROM unnest(wrapped_keys) AS new (wrapped), installation_keys AS newest
        WHERE substr(new.wrapped, 61) <> newest.mark
    ) THEN
        positions := '{}';
        RETURN;
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

    IF cardinality(seat_events) > 0 THEN
        INSERT INTO event_seats AS s (event_id, taken, waiting)
        SELECT event_id, taken, waiting
        FROM unnest(seat_events, more_taken, more_waiting) AS n (event_id, taken, waiting)
        WHERE n.taken <> 0 OR n.waiting <> 0
        ON CONFLICT (event_id) DO UPDATE
        SET taken = s.taken + EXCLUDED.taken, waiting = s.waiting + EXCLUDED.waiting;
        SELECT array_agg(taken + of_taken ORDER BY place),
               array_agg(waiting + of_waiting ORDER BY place)
        INTO now_taken, now_waiting
        FROM unnest(now_taken, now_waiting, more_taken, more_waiting) WITH ORDINALITY
             AS n (taken, waiting, of_taken, of_waiting, place);
    END IF;

    IF cardinality(left_queue) > 0 THEN
        WITH gone AS (
            DELETE FROM event_queue WHERE visitor_id = ANY(left_queue) RETURNING visitor_id, position
        )
        SELECT array_agg(gone.visitor_id), array_agg(gone.position) INTO gone_visitors, gone_places
        FROM gone;
    END IF;
    IF cardinality(joined) > 0 THEN
        INSERT INTO event_queue (event_id, position, visitor_id)
        SELECT new.event_id, coalesce(gone.place, positions[new.at]), new.visitor_id
        FROM unnest(joined, joined_events, joined_at, takes_places)
             AS new (visitor_id, event_id, at, takes_place_of)
        LEFT JOIN unnest(gone_visitors, gone_places) AS gone (visitor_id, place)
            ON gone.visitor_id = new.takes_place_of;
    END IF;

    PERFORM pg_notify('history', positions[cardinality(positions)]::text);
END $$;

-- Appends from releases that know no seats, and from applications written with the eventsourcing
-- library. Of the domain events that change seats, those releases know these two.
CREATE OR REPLACE FUNCTION append_to_history(
    read_ids      uuid[],
    read_versions bigint[],
    event_ids     uuid[],
    versions      bigint[],
    topics        text[],
    states        bytea[],
    wrapped_keys  bytea[]
) RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    seat_events uuid[];
    more_taken  int[];
    changed     int[];
    appended    bigint[];
BEGIN
    SELECT array_agg(event_id), array_agg(taken) INTO seat_events, more_taken
    FROM (
        SELECT event_id, sum(taken)::int AS taken
        FROM (
            SELECT (convert_from(state, 'UTF8')::jsonb #>> '{data,event_id}')::uuid AS event_id,
                   1 AS taken
            FROM unnest(topics, states) AS new (topic, state)
            WHERE topic = 'Visitor.Registered'
            UNION ALL
            SELECT (convert_from(registered.state, 'UTF8')::jsonb #>> '{data,event_id}')::uuid, -1
            FROM unnest(event_ids, versions, topics) AS new (id, version, topic)
            CROSS JOIN LATERAL (
                SELECT state FROM (
                    SELECT e.originator_version AS version, e.state FROM history_events e
                    WHERE e.originator_id = new.id AND e.topic = 'Visitor.Registered'
                    UNION ALL
                    SELECT before.version, before.state
                    FROM unnest(event_ids, versions, topics, states)
                         AS before (id, version, topic, state)
                    WHERE before.id = new.id AND before.version < new.version
                      AND before.topic = 'Visitor.Registered'
                ) AS each
                ORDER BY each.version DESC LIMIT 1
            ) AS registered
            WHERE new.topic = 'Visitor.Erased'
        ) AS one
        GROUP BY event_id
    ) AS changes;

    changed := ARRAY[coalesce(cardinality(seat_events), 0)];
    SELECT a.positions INTO appended
    FROM append_to_history(
        read_ids, read_versions, event_ids, versions, topics, states, wrapped_keys,
        coalesce(seat_events, '{}'), coalesce(more_taken, '{}'), array_fill(0, changed),
        array_fill(-2147483648, changed), array_fill(2147483647, changed),
        array_fill(-2147483648, changed), array_fill(2147483647, changed),
        '{}', '{}', '{}', '{}', '{}'
    ) AS a;
    RETURN appended;
END $$;

-- The registrations so far: most of them while others append, the last ones while nobody does.
DO $$
DECLARE
    counted bigint := 0; -- up to this position
    newest  bigint;
BEGIN
    FOR locked IN 0..1 LOOP
        IF locked = 1 THEN
            PERFORM pg_advisory_xact_lock(hashtext('append_to_history'));
        END IF;
        SELECT coalesce(max(notification_id), 0) INTO newest FROM history_events;
        INSERT INTO event_seats AS s (event_id, taken, waiting)
        SELECT event_id, sum(taken), 0
        FROM (
            SELECT (convert_from(state, 'UTF8')::json #>> '{data,event_id}')::uuid AS event_id,
                   1 AS taken
            FROM history_events
            WHERE topic = 'Visitor.Registered'
              AND notification_id > counted AND notification_id <= newest
            UNION ALL
            SELECT (convert_from(registered.state, 'UTF8')::json #>> '{data,event_id}')::uuid, -1
            FROM history_events erased
            CROSS JOIN LATERAL (
                SELECT e.state FROM history_events e
                WHERE e.originator_id = erased.originator_id AND e.topic = 'Visitor.Registered'
                  AND e.originator_version < erased.originator_version
                ORDER BY e.originator_version DESC LIMIT 1
            ) AS registered
            WHERE erased.topic = 'Visitor.Erased'
              AND erased.notification_id > counted AND erased.notification_id <= newest
        ) AS one
        GROUP BY event_id
        ON CONFLICT (event_id) DO UPDATE SET taken = s.taken + EXCLUDED.taken;
        counted := newest;
    END LOOP;
END $$;

-- What 0007 starts from: the seats up to here, and the position, beside an id that no event has.
CREATE TABLE event_seats_at_upgrade (event_id uuid PRIMARY KEY, number bigint NOT NULL);
INSERT INTO event_seats_at_upgrade
SELECT event_id, taken FROM event_seats
UNION ALL
SELECT '00000000-0000-0000-0000-000000000000', coalesce(max(notification_id), 0)
FROM history_events;
