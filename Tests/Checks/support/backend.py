"""push-server's API by RPC, as plain ttrpc, whose clients nobody can tell to go elsewhere."""

import json
import socket
import struct

from .ttrpc import REQUEST, field, fields


def call(port: int, key: str, method: str, request: dict) -> dict:
    """Calls a method, on a connection of its own."""
    metadata = field(1, b"x-api-key") + field(2, key.encode())
    names = field(1, b"longwire.HubBackend") + field(2, method.encode())
    data = names + field(3, json.dumps(request).encode()) + field(5, metadata)
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(struct.pack(">IIBB", len(data), 1, REQUEST, 0) + data)
        source = connection.makefile("rb")
        head = source.read(10)
        if len(head) < 10:
            raise RuntimeError("no answer to a call")
        answer = fields(source.read(struct.unpack(">I", head[:4])[0]))
    if 2 not in answer:
        raise RuntimeError(f"a call failed: {answer}")
    return json.loads(answer[2])
