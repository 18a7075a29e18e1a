"""The contents of files: kept by their hashes, on this machine's disk or in a bucket."""
