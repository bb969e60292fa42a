-- The copy of the engine's accounts, one block per cluster (its form: `Accounts` in the room `model`). Hashes only.
CREATE TABLE books (
    cluster  INTEGER PRIMARY KEY REFERENCES clusters (id),
    -- 0 if the cluster has accounts that are not in the block.
    complete INTEGER NOT NULL,
    accounts BLOB    NOT NULL
);
