//! The table of clients, and the lines a person pastes.
