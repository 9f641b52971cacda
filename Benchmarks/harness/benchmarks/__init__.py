"""Every benchmark by its name; each has `build()` and `run()`, which returns its section of RESULTS.md."""

from . import (
    codec,
    conn_pool,
    deflate_memory,
    hub,
    hub_stopped,
    hub_storm,
    mass_close,
    rpc,
    tcp_echo,
    timers,
    websocket_broadcast,
    websocket_echo,
)

BENCHMARKS = {
    codec.NAME: codec.Codec,
    conn_pool.NAME: conn_pool.ConnPool,
    deflate_memory.NAME: deflate_memory.DeflateMemory,
    hub.NAME: hub.Hub,
    hub_stopped.NAME: hub_stopped.HubStopped,
    hub_storm.NAME: hub_storm.HubStorm,
    mass_close.NAME: mass_close.MassClose,
    rpc.NAME: rpc.RPC,
    tcp_echo.NAME: tcp_echo.TCPEcho,
    timers.NAME: timers.Timers,
    websocket_echo.NAME: websocket_echo.WebSocketEcho,
    websocket_broadcast.NAME: websocket_broadcast.WebSocketBroadcast,
}
