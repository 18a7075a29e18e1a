"""The chat system itself: no transport, no SQL."""
