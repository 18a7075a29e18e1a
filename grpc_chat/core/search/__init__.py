"""Search over what somebody may see: the index, and what is asked of it."""
