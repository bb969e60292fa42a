//! How a cluster is created, started, reached, put to sleep, removed.
