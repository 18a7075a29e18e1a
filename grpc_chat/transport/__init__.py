"""Carry calls to the api, and know nothing else."""
