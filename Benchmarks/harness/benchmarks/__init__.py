"""Every benchmark by its name; each has `build()` and `run()`, which returns its section of RESULTS.md."""

from .websocket_echo import WebSocketEcho

BENCHMARKS = {"websocket-echo": WebSocketEcho}
