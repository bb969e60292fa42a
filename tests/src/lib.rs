//! What the end-to-end tests share: a running `tidegate` in a folder of its own.
