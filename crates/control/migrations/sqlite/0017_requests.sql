-- Requests that had an idempotency key, so that a repeated request gets the same answer. No version used the table before.
DROP TABLE answers;
CREATE TABLE answers (
    -- Hash of the caller and its key.
    request_key  TEXT    PRIMARY KEY,
    -- Id of the API key, or `owner` on the control socket.
    caller       TEXT    NOT NULL,
    -- Sealed by the API: the hash of the request, and what a repetition after a crash must know.
    note         BLOB    NOT NULL,
    -- Sealed by the API; NULL while the request is executed, or if it was interrupted.
    answer       BLOB,
    bytes        INTEGER NOT NULL,
    expires_unix INTEGER NOT NULL,
    version      INTEGER NOT NULL
);
CREATE INDEX answers_caller ON answers (caller, version, bytes);
CREATE INDEX answers_version ON answers (version, bytes);
CREATE INDEX answers_expiry ON answers (expires_unix);
