-- API keys and the hashes of their secrets, which authentication reads. History has no secrets.

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    scopes       text[] NOT NULL,
    event_ids    uuid[], -- null: all events
    expires_at   timestamptz,
    created_at   timestamptz NOT NULL,
    created_by   text NOT NULL, -- an actor, as in history
    rolled_at    timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz, -- about a minute late
    version      bigint NOT NULL
);

-- The secrets that work: those of revoked keys are deleted.
CREATE TABLE api_key_secrets (
    hash        bytea PRIMARY KEY, -- SHA-256
    key_id      uuid NOT NULL REFERENCES api_keys,
    works_until timestamptz -- null: the present secret
);
CREATE INDEX api_key_secrets_of_key ON api_key_secrets (key_id);
