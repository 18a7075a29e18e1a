"""Counters and histograms, by name. Each node has its own set, so a process can have several nodes."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Totals(Collector):
    """Counters that change with every response: plain numbers, which cost a tenth of a locked counter.

    Only the event loop changes them.
    """

    def __init__(self) -> None:
        self.responses = 0
        self.response_bytes = 0
        self.store_pages = 0
        self.signals = 0
        self.signals_dropped = 0
        self.file_bytes_received = 0
        self.file_bytes_sent = 0

    def collect(self) -> Iterator[Metric]:
        """The metrics as Prometheus collects them."""
        yield CounterMetricFamily(
            "grpc_chat_stream_responses", "Responses written to streams.", self.responses
        )
        yield CounterMetricFamily(
            "grpc_chat_stream_response_bytes", "Bytes of those responses.", self.response_bytes
        )
        yield CounterMetricFamily(
            "grpc_chat_store_pages", "Pages read from the store for streams behind.", self.store_pages
        )
        yield CounterMetricFamily(
            "grpc_chat_signals", "Signals written to streams, in those responses.", self.signals
        )
        yield CounterMetricFamily(
            "grpc_chat_signals_dropped",
            "Signals that were not written because there were too many.",
            self.signals_dropped,
        )
        yield CounterMetricFamily(
            "grpc_chat_file_bytes_received", "Bytes of files stored by uploads.", self.file_bytes_received
        )
        yield CounterMetricFamily(
            "grpc_chat_file_bytes_sent",
            "Bytes of files read for downloads, over gRPC and HTTP.",
            self.file_bytes_sent,
        )


class Metrics:
    """All metrics of one node.

    Args:
        registry: Where they are collected; by default its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.calls = Counter(
            "grpc_chat_calls",
            "Finished calls, by method and status; a stream counts when it ends.",
            ["method", "code"],
            registry=self.registry,
        )
        self.call_seconds = Histogram(
            "grpc_chat_call_seconds",
            "How long unary calls took, in seconds.",
            ["method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.streams = Gauge("grpc_chat_streams", "Open streams.", registry=self.registry)
        self.totals = Totals()
        self.registry.register(self.totals)
        self.tail_bytes = Gauge(
            "grpc_chat_tail_bytes", "Recent events kept in memory, in bytes.", registry=self.registry
        )
        self.commit_seconds = Histogram(
            "grpc_chat_commit_seconds",
            "How long transactions took, in seconds.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.commit_batch = Histogram(
            "grpc_chat_commit_batch",
            "How many messages and acknowledgements went into a transaction.",
            buckets=_SIZES,
            registry=self.registry,
        )
        self.commits_waiting = Gauge(
            "grpc_chat_commits_waiting", "Messages waiting to be stored.", registry=self.registry
        )
        self.downloads = Gauge("grpc_chat_downloads", "Downloads of files under way.", registry=self.registry)
        self.reads_waiting = Gauge(
            "grpc_chat_reads_waiting", "Reads asked for and not done.", registry=self.registry
        )
