"""What the checks share: servers to start, clients to speak with them, a verdict to print."""
