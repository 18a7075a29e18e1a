"""Transports carry calls to the api, and know nothing else."""
