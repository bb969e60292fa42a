-- Number of the reading of a book among those of its run, so that a reading that ends late replaces no later one.
ALTER TABLE books ADD COLUMN reading INTEGER NOT NULL DEFAULT 0;
