-- What seals history. Safe to run again.

CREATE TABLE IF NOT EXISTS signing_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    wrapped  bytea NOT NULL
);

-- One row for each signed checkpoint, with the events that it adds to those of the one before.
-- Only ever added to. That two rows cannot start at the same leaf keeps two sealers from telling
-- two different stories.
CREATE TABLE IF NOT EXISTS history_seals (
    start         bigint PRIMARY KEY, -- leaves in the tree before
    tree_size     bigint         NOT NULL,
    root_hash     bytea          NOT NULL,
    last_position bigint         NOT NULL UNIQUE,
    sealed_at     timestamptz    NOT NULL,
    previous      bytea          NOT NULL,
    signature     bytea          NOT NULL,
    positions     int8multirange NOT NULL,
    leaf_hashes   bytea          NOT NULL -- 32 bytes for each event, in the order of positions
);

-- Hashes do not get smaller by compressing. Where that is known, it is not said again: it would
-- lock the table, behind whoever reads all of it and before everybody else.
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('history_seals') AND attname = 'leaf_hashes'
          AND attstorage <> 'e'
    ) THEN
        ALTER TABLE history_seals ALTER COLUMN leaf_hashes SET STORAGE EXTERNAL;
    END IF;
END $$;

-- The tree's nodes of every eighth level above the leaves: with them a proof is short to compute.
CREATE TABLE IF NOT EXISTS history_seal_nodes (
    level  smallint NOT NULL,
    number bigint   NOT NULL,
    hash   bytea    NOT NULL,
    PRIMARY KEY (level, number)
);
