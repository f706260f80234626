-- The tables of the seals.
-- A database of release 0.1.0, from before the numbers, gets here what it lacks: existing objects are
-- left alone.

CREATE TABLE IF NOT EXISTS signing_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    wrapped  bytea NOT NULL
);

-- One row for each signed checkpoint, with the events since the checkpoint before it. Rows are only
-- added. The primary key prevents two sealers from sealing the same leaf.
CREATE TABLE IF NOT EXISTS history_seals (
    start         bigint PRIMARY KEY, -- number of leaves before
    tree_size     bigint         NOT NULL,
    root_hash     bytea          NOT NULL,
    last_position bigint         NOT NULL UNIQUE,
    sealed_at     timestamptz    NOT NULL,
    previous      bytea          NOT NULL,
    signature     bytea          NOT NULL,
    positions     int8multirange NOT NULL,
    leaf_hashes   bytea          NOT NULL -- 32 bytes for each event, in the order of positions
);

-- Hashes cannot be compressed. The storage is set only once, because ALTER TABLE would wait for
-- long readers of the table, and block all others behind it.
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('history_seals') AND attname = 'leaf_hashes'
          AND attstorage <> 'e'
    ) THEN
        ALTER TABLE history_seals ALTER COLUMN leaf_hashes SET STORAGE EXTERNAL;
    END IF;
END $$;

-- The nodes of every eighth level above the leaves, so that a proof is fast to compute.
CREATE TABLE IF NOT EXISTS history_seal_nodes (
    level  smallint NOT NULL,
    number bigint   NOT NULL,
    hash   bytea    NOT NULL,
    PRIMARY KEY (level, number)
);
