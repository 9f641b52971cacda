// WSFrame
