-- Operations that are under way. One that is found at a start is finished or undone; each of its steps may be repeated.
CREATE TABLE operations (
    cluster   INTEGER PRIMARY KEY,
    -- create, delete or password
    kind      TEXT    NOT NULL,
    -- Raised by each server that takes the operation over: steps of the one before change nothing from then on.
    token     INTEGER NOT NULL,
    made_unix INTEGER NOT NULL
);
INSERT INTO operations (cluster, kind, token, made_unix)
SELECT id, CASE phase WHEN 'creating' THEN 'create' ELSE 'delete' END, 1, created_unix
FROM clusters WHERE phase IN ('creating', 'deleting');
