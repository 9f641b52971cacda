"""What every benchmark shares: building, starting servers, measuring, reporting."""
