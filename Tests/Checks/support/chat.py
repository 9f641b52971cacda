"""A client of the chat protocol (Examples/ChatServer/PROTOCOL.md): everything the checks know of it is here."""

import asyncio
import json

from websockets.asyncio.client import ClientConnection, connect

PATH = "/ws"
SUBPROTOCOL = "longwire.v1.json"
SEND_QUEUE_BYTES_MAX = 1 << 20  # of one connection, beyond which the server gives it up
MESSAGE_BYTES_MAX = 32 * 1024


def hello(name: str) -> str:
    return json.dumps({"type": "request", "id": 1, "event": "hello", "json": {"version": 1, "name": name}})


def join(room: str) -> str:
    return json.dumps({"type": "subscribe", "id": 2, "topic": room})


def say(room: str, text: str) -> str:
    return json.dumps({"type": "publish", "topic": room, "event": "say", "json": {"text": text}}, ensure_ascii=False)


def message(data: str) -> dict | None:
    """What somebody said: `from`, `offset` and `text`; None for anything else."""
    fields = json.loads(data)
    if fields["type"] != "publication" or fields.get("event") != "say":
        return None
    return {"from": fields["from"], "offset": fields["offset"], **fields["json"]}


class ChatClient:
    """One member of one room."""

    def __init__(self, socket: ClientConnection, room: str):
        self.socket = socket
        self.room = room

    @classmethod
    async def enter(cls, url: str, name: str, room: str, *, source: str | None = None) -> "ChatClient":
        """Connects from the loopback address `source`, introduces itself and is in the room when this returns."""
        local = {} if source is None else {"local_addr": (source, 0)}
        socket = await connect(
            url, subprotocols=[SUBPROTOCOL], compression=None, max_size=None, open_timeout=60, ping_interval=None, proxy=None, **local
        )
        client = cls(socket, room)
        await socket.send(hello(name))
        await client.expect("reply")
        await socket.send(join(room))
        await client.expect("subscribed")
        return client

    async def expect(self, kind: str) -> dict:
        """The next message of this type; those of others are passed over."""
        while True:
            fields = json.loads(await self.socket.recv())
            if fields["type"] == kind:
                return fields
            if fields["type"] == "failure":
                raise RuntimeError(f"the server refused: {fields}")

    async def say(self, text: str) -> None:
        await self.socket.send(say(self.room, text))


def source_address(index: int) -> str:
    """Loopback addresses in turn, so that a limit per address does not meet a crowd from one machine."""
    return f"127.0.{1 + index // 100 % 200}.{1 + index % 100}"


async def gather_bounded(makers: list, at_once: int) -> list:
    """Runs the coroutine functions, so many at once, and returns their results in order."""
    gate = asyncio.Semaphore(at_once)

    async def one(maker):
        async with gate:
            return await maker()

    return await asyncio.gather(*(one(maker) for maker in makers))
