import socket

from sls_patterns_cli.local.emulator.datastores import ports


def test_the_system_gives_a_reserved_port_to_nobody_else() -> None:
    reserved = [ports.reserve() for _ in range(1000)]
    assert len({*reserved}) == len(reserved)


def test_who_names_a_reserved_port_can_open_it() -> None:
    with socket.create_server(("127.0.0.1", ports.reserve())):
        pass
