"""Every benchmark by its name; each has `build()` and `run()`, which returns its section of RESULTS.md."""

from . import codec, tcp_echo, websocket_broadcast, websocket_echo

BENCHMARKS = {
    codec.NAME: codec.Codec,
    tcp_echo.NAME: tcp_echo.TCPEcho,
    websocket_echo.NAME: websocket_echo.WebSocketEcho,
    websocket_broadcast.NAME: websocket_broadcast.WebSocketBroadcast,
}
