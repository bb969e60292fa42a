-- Kind of each cluster's engine, and the values of that kind's own parameters as one JSON object. Clusters that exist
-- are MariaDB processes of this machine, which have no parameters.
ALTER TABLE clusters ADD COLUMN engine TEXT NOT NULL DEFAULT 'mariadb';
ALTER TABLE clusters ADD COLUMN engine_parameters TEXT NOT NULL DEFAULT '{}';
