-- Answers to requests that had an idempotency key, so that a repeated request gets the same one. Sealed by the API.
CREATE TABLE answers (
    request_key  TEXT    PRIMARY KEY,
    request_hash BLOB    NOT NULL,
    answer       BLOB    NOT NULL,
    expires_unix INTEGER NOT NULL,
    version      INTEGER NOT NULL
);
