//! The relay core and its tracker.
