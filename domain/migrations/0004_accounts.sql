-- Passwords and sessions, which authentication reads. History has neither.
-- A database of release 0.1.0, from before the numbers, gets here what it lacks: existing objects are
-- left alone.

CREATE TABLE IF NOT EXISTS credentials (
    account_id       uuid PRIMARY KEY,
    username         text NOT NULL,
    password_hash    text NOT NULL,
    password_version bigint NOT NULL, -- the account's version when the password was set
    roles            text[] NOT NULL,
    disabled         boolean NOT NULL
);

-- The sessions that live: one that ends is deleted, and its tokens are dead.
CREATE TABLE IF NOT EXISTS sessions (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES credentials ON DELETE CASCADE,
    refresh_hash bytea NOT NULL, -- of the one refresh token that is not spent
    expires_at   timestamptz NOT NULL
);
-- IF NOT EXISTS would hold up who signs in, even where it exists.
DO $$ BEGIN
    IF to_regclass('sessions_of_account') IS NULL THEN
        CREATE INDEX sessions_of_account ON sessions (account_id);
    END IF;
END $$;
