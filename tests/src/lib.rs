//! What the end-to-end tests share: a running `tidegate` in a folder of its own, and a client of bare bytes. It never
//! imports a room: what it says about the protocol is written down a second time, so that both can't be wrong alike.
