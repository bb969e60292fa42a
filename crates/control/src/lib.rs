//! What exists: the store, and operations on clusters.
