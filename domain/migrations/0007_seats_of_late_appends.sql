-- A call of the former append function that waited for history's lock while 0006 replaced it went on
-- with its former body, and counted no seat. Such calls have ended when the lock is taken here: then
-- the seats are those of 0006 and of all that was appended since.

DO $$
DECLARE
    begun  timestamptz := clock_timestamp();
    nobody uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    -- Calls that have not reached the lock yet; 10 s at most.
    FOR attempt IN 1..500 LOOP
        EXIT WHEN NOT EXISTS (
            SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
              AND query_start < begun AND query LIKE '%append_to_history(%'
        );
        PERFORM pg_sleep(0.02);
        PERFORM pg_stat_clear_snapshot();
    END LOOP;
    PERFORM pg_advisory_xact_lock(hashtext('append_to_history'));

    INSERT INTO event_seats AS s (event_id, taken, waiting)
    SELECT event_id, sum(taken), 0
    FROM (
        SELECT event_id, number AS taken FROM event_seats_at_upgrade WHERE event_id <> nobody
        UNION ALL
        SELECT (convert_from(e.state, 'UTF8')::json #>> '{data,event_id}')::uuid, 1
        FROM history_events e
        WHERE e.topic = 'Visitor.Registered' AND e.notification_id > (
            SELECT number FROM event_seats_at_upgrade WHERE event_id = nobody
        )
        UNION ALL
        SELECT (convert_from(registered.state, 'UTF8')::json #>> '{data,event_id}')::uuid, -1
        FROM history_events erased
        CROSS JOIN LATERAL (
            SELECT e.state FROM history_events e
            WHERE e.originator_id = erased.originator_id AND e.topic = 'Visitor.Registered'
              AND e.originator_version < erased.originator_version
            ORDER BY e.originator_version DESC LIMIT 1
        ) AS registered
        WHERE erased.topic = 'Visitor.Erased' AND erased.notification_id > (
            SELECT number FROM event_seats_at_upgrade WHERE event_id = nobody
        )
    ) AS one
    GROUP BY event_id
    ON CONFLICT (event_id) DO UPDATE SET taken = EXCLUDED.taken;
END $$;

DROP TABLE event_seats_at_upgrade;
