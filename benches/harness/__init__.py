"""What the measurements and the soak share: processes, a warehouse, a gate, a client of raw frames."""
