"""A port of 127.0.0.1 for a program that opens the port itself."""

import socket


def reserve() -> int:
    """Return a free port that the system gives to nobody who asks for just any port.

    The side that closes a connection first keeps its port in the state TIME_WAIT: 60 s on Linux.
    Whoever names the port can open it. https://www.rfc-editor.org/rfc/rfc9293#section-3.3.2
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as client:
            accepted, _ = listener.accept()
            accepted.close()
            client.recv(1)
    return int(address[1])
