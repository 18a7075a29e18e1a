"""Operating a server."""
