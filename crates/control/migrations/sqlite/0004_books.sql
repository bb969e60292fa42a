-- The copy of the engine's accounts, one block per cluster in parts (its form: `Accounts` in the room `model`). Hashes
-- only.
CREATE TABLE books (
    cluster  INTEGER NOT NULL REFERENCES clusters (id),
    part     INTEGER NOT NULL,
    accounts BLOB    NOT NULL,
    PRIMARY KEY (cluster, part)
);

-- 0 if the cluster has accounts that are not in its block, or has none yet.
ALTER TABLE clusters ADD COLUMN accounts_complete INTEGER NOT NULL DEFAULT 0;
