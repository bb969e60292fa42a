-- Settings of a cluster beside its limits. Clusters that exist get what new ones have.
ALTER TABLE clusters ADD COLUMN deletion_protection INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clusters ADD COLUMN ping_holds INTEGER NOT NULL DEFAULT 0;
-- Whether the engine runs events.
ALTER TABLE clusters ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
-- Ranges of addresses that logins may come from, separated by spaces. Empty: any.
ALTER TABLE clusters ADD COLUMN ip_allow TEXT NOT NULL DEFAULT '';
-- Values of server variables as one JSON object of texts.
ALTER TABLE clusters ADD COLUMN variables TEXT NOT NULL DEFAULT '{}';
