//! MySQL packets as values: both halves of the connection phase, the relay core, PROXY headers. Bytes in, values out.
