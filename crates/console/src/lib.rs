//! The API over the control socket.
