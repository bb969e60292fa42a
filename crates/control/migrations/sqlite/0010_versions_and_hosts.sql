-- Facts that gateways may share (clusters, books, access) apart from those of this host (runs, system users). Each
-- change of a shared fact takes the next version first, in its own transaction, so versions become visible in order.
CREATE TABLE feed (
    part    TEXT    PRIMARY KEY,
    version INTEGER NOT NULL
);

CREATE TABLE new_clusters (
    id                      INTEGER PRIMARY KEY,
    name                    TEXT    NOT NULL,
    -- The name while it is taken; NULL frees it.
    name_taken              TEXT    UNIQUE,
    prefix                  TEXT    NOT NULL UNIQUE,
    created_unix            INTEGER NOT NULL,
    engine                  TEXT    NOT NULL,
    engine_parameters       TEXT    NOT NULL,
    connections_max         INTEGER NOT NULL,
    sleep_after_ms          INTEGER NOT NULL,
    transaction_idle_max_ms INTEGER NOT NULL,
    memory_max_bytes        INTEGER NOT NULL,
    disk_max_bytes          INTEGER NOT NULL,
    cpu_weight              INTEGER NOT NULL,
    tasks_max               INTEGER NOT NULL,
    deletion_protection     INTEGER NOT NULL DEFAULT 0,
    ping_holds              INTEGER NOT NULL DEFAULT 0,
    events                  INTEGER NOT NULL DEFAULT 0,
    ip_allow                TEXT    NOT NULL DEFAULT '',
    variables               TEXT    NOT NULL DEFAULT '{}',
    -- creating, live, deleting or gone. A row stays for ever as a tombstone, so that no number and no prefix comes back.
    phase                   TEXT    NOT NULL,
    version                 INTEGER NOT NULL
);
INSERT INTO new_clusters (id, name, name_taken, prefix, created_unix, engine, engine_parameters, connections_max,
    sleep_after_ms, transaction_idle_max_ms, memory_max_bytes, disk_max_bytes, cpu_weight, tasks_max,
    deletion_protection, ping_holds, events, ip_allow, variables, phase, version)
SELECT id, name, name_taken, prefix, created_unix, engine, engine_parameters, connections_max,
    sleep_after_ms, transaction_idle_max_ms, memory_max_bytes, disk_max_bytes, cpu_weight, tasks_max,
    deletion_protection, ping_holds, events, ip_allow, variables, phase, ROW_NUMBER() OVER (ORDER BY id)
FROM clusters;

-- The block of accounts of each cluster, in parts.
CREATE TABLE book_parts (
    cluster  INTEGER NOT NULL,
    part     INTEGER NOT NULL,
    accounts BLOB    NOT NULL,
    PRIMARY KEY (cluster, part)
);
INSERT INTO book_parts (cluster, part, accounts) SELECT cluster, part, accounts FROM books;
DROP TABLE books;

CREATE TABLE books (
    cluster  INTEGER PRIMARY KEY,
    -- The run that the accounts were read in; 0 for those that the cluster was created with.
    run      INTEGER NOT NULL,
    -- 0 if the cluster has accounts that are not in the block.
    complete INTEGER NOT NULL,
    version  INTEGER NOT NULL
);
INSERT INTO books (cluster, run, complete, version)
SELECT id, accounts_run, accounts_complete, (SELECT COUNT(*) FROM clusters) + ROW_NUMBER() OVER (ORDER BY id)
FROM clusters WHERE phase <> 'gone';

-- Runs of the engines of this host.
CREATE TABLE runs (
    cluster INTEGER PRIMARY KEY,
    -- The last run that was begun; 0 before the first.
    run     INTEGER NOT NULL,
    -- 1 if that run has not ended cleanly.
    awake   INTEGER NOT NULL
);
INSERT INTO runs (cluster, run, awake) SELECT id, run, awake FROM clusters WHERE phase <> 'gone';

-- System users of this host that its engines run as, or ran as: then without a cluster, in the order in which they were
-- freed. The one freed longest ago is given first.
CREATE TABLE system_users (
    uid     INTEGER PRIMARY KEY,
    cluster INTEGER UNIQUE,
    freed   INTEGER NOT NULL DEFAULT 0
);
INSERT INTO system_users (uid, cluster) SELECT uid, id FROM clusters WHERE uid IS NOT NULL;
INSERT INTO system_users (uid, freed) SELECT uid, freed FROM freed_uids
WHERE uid NOT IN (SELECT uid FROM system_users);
DROP TABLE freed_uids;

DROP TABLE clusters;
ALTER TABLE new_clusters RENAME TO clusters;
ALTER TABLE sign_in_links ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE web_sessions ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
CREATE INDEX clusters_version ON clusters (version);
CREATE INDEX books_version ON books (version);

INSERT INTO feed (part, version) SELECT 'all', COUNT(*) + (SELECT COUNT(*) FROM books) + 1 FROM clusters;
INSERT INTO feed (part, version) SELECT 'access', version FROM feed WHERE part = 'all';
