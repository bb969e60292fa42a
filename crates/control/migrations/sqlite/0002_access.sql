-- Who may use the console and the API. Every secret stands here as its SHA-256 only: each has 256 random bits, so a
-- slow hash would add nothing.
CREATE TABLE operators (
    id           INTEGER PRIMARY KEY,
    name         TEXT    NOT NULL UNIQUE,
    created_unix INTEGER NOT NULL
);

-- One-time links. A row goes with its first use.
CREATE TABLE sign_in_links (
    hash         BLOB    PRIMARY KEY,
    operator     INTEGER NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    expires_unix INTEGER NOT NULL
);

CREATE TABLE web_sessions (
    hash         BLOB    PRIMARY KEY,
    operator     INTEGER NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    created_unix INTEGER NOT NULL,
    seen_unix    INTEGER NOT NULL
);

CREATE TABLE api_keys (
    id           TEXT    PRIMARY KEY,
    name         TEXT    NOT NULL UNIQUE,
    hash         BLOB    NOT NULL UNIQUE,
    created_unix INTEGER NOT NULL,
    -- NULL for one that ends only when it is revoked.
    expires_unix INTEGER,
    used_unix    INTEGER
);
