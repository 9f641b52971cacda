"""A hub on python-socketio: each client is in one room, and the event `m` goes to all of it."""

import sys

import socketio
from aiohttp import web

# No packet of its own comes between those that are counted.
server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*", ping_interval=3_600, ping_timeout=3_600)
ROOM = "b"


@server.event
async def connect(sid: str, environment: dict) -> None:
    await server.enter_room(sid, ROOM)


@server.on("m")
async def message(sid: str, text: str) -> None:
    await server.emit("m", text, room=ROOM)


if __name__ == "__main__":
    application = web.Application()
    server.attach(application)
    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), backlog=4_096, print=None, access_log=None)
