"""What server and clients share of the protocol."""
