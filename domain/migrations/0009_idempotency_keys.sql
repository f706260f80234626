-- The answers to calls that were sent with an Idempotency-Key, each committed with what the call
-- did (docs/decisions/0065-idempotency-keys.md).
CREATE TABLE idempotency_keys (
    key         bytea PRIMARY KEY, -- a hash of the caller and the key
    fingerprint bytea NOT NULL, -- a hash of the call
    answer      bytea NOT NULL, -- encrypted with the key that the caller sent
    position    bigint NOT NULL, -- of the last event; 0 for a call that writes no history
    about       uuid, -- the visitor, if it is about one
    expires_at  timestamptz NOT NULL DEFAULT now() + interval '24 hours'
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
CREATE INDEX idempotency_keys_about ON idempotency_keys (about) WHERE about IS NOT NULL;
ALTER TABLE idempotency_keys ALTER key SET STATISTICS 0; -- statistics on hashes are useless
ALTER TABLE idempotency_keys ALTER fingerprint SET STATISTICS 0;
ALTER TABLE idempotency_keys ALTER answer SET STATISTICS 0;

-- Appends as the function without keys does, and keeps the answer of each key. If one of the keys is
-- there already, it appends nothing and returns NULL as positions.
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
    taken_min     int[],
    taken_max     int[],
    waiting_min   int[],
    waiting_max   int[],
    left_queue    uuid[],
    joined        uuid[],
    joined_events uuid[],
    joined_at     int[],
    takes_places  uuid[],
    call_keys     bytea[],
    fingerprints  bytea[],
    answers       bytea[],
    answered_at   int[],  -- index of the last event of each call
    about_ids     uuid[], -- the visitor that each answer is about, or null
    OUT positions   bigint[],
    OUT now_taken   int[],
    OUT now_waiting int[]
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('append_to_history'));

    IF EXISTS (
        SELECT FROM idempotency_keys AS stored
        WHERE stored.key = ANY(call_keys) AND stored.expires_at > now()
    ) THEN
        RETURN;
    END IF;

    SELECT appended.positions, appended.now_taken, appended.now_waiting
    INTO positions, now_taken, now_waiting
    FROM append_to_history(
        read_ids, read_versions, event_ids, versions, topics, states, wrapped_keys, seat_events,
        more_taken, more_waiting, taken_min, taken_max, waiting_min, waiting_max, left_queue, joined,
        joined_events, joined_at, takes_places
    ) AS appended;

    IF cardinality(positions) > 0 THEN
        -- What is there has expired, unless another kind of call uses the key at this moment.
        INSERT INTO idempotency_keys (key, fingerprint, answer, position, about)
        SELECT new.key, new.fingerprint, new.answer, positions[new.at], new.about
        FROM unnest(call_keys, fingerprints, answers, answered_at, about_ids)
             AS new (key, fingerprint, answer, at, about)
        ON CONFLICT (key) DO UPDATE
        SET fingerprint = EXCLUDED.fingerprint, answer = EXCLUDED.answer,
            position = EXCLUDED.position, about = EXCLUDED.about, expires_at = EXCLUDED.expires_at;
    END IF;
END $$;
