-- Limits of what an engine may use of the machine. Clusters that exist get the defaults.
ALTER TABLE clusters ADD COLUMN memory_max_bytes INTEGER NOT NULL DEFAULT 1073741824;
ALTER TABLE clusters ADD COLUMN disk_max_bytes INTEGER NOT NULL DEFAULT 4294967296;
ALTER TABLE clusters ADD COLUMN cpu_weight INTEGER NOT NULL DEFAULT 100;
ALTER TABLE clusters ADD COLUMN tasks_max INTEGER NOT NULL DEFAULT 512;
