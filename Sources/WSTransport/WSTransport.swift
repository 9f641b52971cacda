// WSTransport
