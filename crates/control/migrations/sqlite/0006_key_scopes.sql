-- Scopes of a key, separated by commas: read, clusters:PATTERN, all. Keys that exist were made when every key had all.
ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT 'all';
