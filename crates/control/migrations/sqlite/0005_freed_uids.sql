-- User numbers that clusters had, in the order in which they were freed: the one freed longest ago is given first.
CREATE TABLE freed_uids (
    uid   INTEGER PRIMARY KEY,
    freed INTEGER NOT NULL
);

-- However a row lets go of its number: a cluster that is gone, or one that moves to another number.
CREATE TRIGGER clusters_uid_freed AFTER UPDATE OF uid ON clusters
WHEN OLD.uid IS NOT NULL AND NEW.uid IS NOT OLD.uid
BEGIN
    INSERT OR REPLACE INTO freed_uids (uid, freed)
    VALUES (OLD.uid, (SELECT COALESCE(MAX(freed), 0) + 1 FROM freed_uids));
END;
