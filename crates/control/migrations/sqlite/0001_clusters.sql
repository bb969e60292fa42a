-- Clusters. A row stays for ever as a tombstone (phase 'gone'), so that no number and no prefix comes back.
CREATE TABLE clusters (
    id                      INTEGER PRIMARY KEY,
    name                    TEXT    NOT NULL,
    -- The name while it is taken; NULL frees it.
    name_taken              TEXT    UNIQUE,
    prefix                  TEXT    NOT NULL UNIQUE,
    created_unix            INTEGER NOT NULL,
    -- The system user of the engine; NULL where the server is not root, and once no file of the cluster is left.
    uid                     INTEGER UNIQUE,
    connections_max         INTEGER NOT NULL,
    sleep_after_ms          INTEGER NOT NULL,
    transaction_idle_max_ms INTEGER NOT NULL,
    phase                   TEXT    NOT NULL CHECK (phase IN ('creating', 'live', 'deleting', 'gone')),
    run                     INTEGER NOT NULL DEFAULT 0,
    awake                   INTEGER NOT NULL DEFAULT 0,
    -- The run the accounts below were read in; 0 for those it was created with.
    accounts_run            INTEGER NOT NULL DEFAULT 0
);

-- The copy of the engine's accounts. Hashes only.
CREATE TABLE accounts (
    cluster   INTEGER NOT NULL REFERENCES clusters (id),
    position  INTEGER NOT NULL,
    user      TEXT    NOT NULL,
    host      TEXT    NOT NULL,
    verifiers TEXT    NOT NULL,
    locked    INTEGER NOT NULL,
    PRIMARY KEY (cluster, position)
);
