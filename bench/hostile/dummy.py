"""A port that accepts, reads and answers nothing: the attackers' target in the reference run."""

import selectors
import socket


def serve(listener):
    """Never returns; ends with its process."""
    selector = selectors.DefaultSelector()
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    continue
                peer.setblocking(False)
                selector.register(peer, selectors.EVENT_READ)
                continue
            try:
                gone = not key.fileobj.recv(1 << 16)
            except OSError:
                gone = True
            if gone:
                selector.unregister(key.fileobj)
                key.fileobj.close()


if __name__ == "__main__":
    server = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(server.getsockname()[1], flush=True)
    serve(server)
