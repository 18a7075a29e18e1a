"""Counters and histograms, by name. Each node has its own set, so a process can have several nodes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Distribution:
    """Observed numbers, counted by size: plain numbers, which cost a fifth of a locked histogram.

    Only one thread observes.

    Args:
        bounds: The upper bounds of the buckets.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    @property
    def any(self) -> bool:
        """Whether anything was observed."""
        return any(self._counts)

    def observe(self, number: float) -> None:
        """Count a number."""
        self._counts[bisect_left(self._bounds, number)] += 1
        self._sum += number

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str] = ()) -> None:
        """Add it to a metric as Prometheus collects it."""
        buckets, count = [], 0
        for bound, more in zip((*self._bounds, float("inf")), self._counts, strict=True):
            count += more
            buckets.append((floatToGoString(bound), float(count)))  # type: ignore[no-untyped-call, unused-ignore]
        family.add_metric(labels, buckets, self._sum)


class MethodCalls:
    """The calls of one method."""

    __slots__ = ("by_code", "seconds", "succeeded")

    def __init__(self) -> None:
        self.succeeded = 0
        self.by_code: dict[str, int] = {}
        """The calls that failed, by the error's code."""
        self.seconds = Distribution(_SECONDS)
        """How long unary calls took that succeeded."""


class Calls(Collector):
    """The calls of all methods. Only the event loop counts them."""

    def __init__(self) -> None:
        self._methods: dict[str, MethodCalls] = {}

    def of(self, method: str) -> MethodCalls:
        """The calls of a method, given as ``/chat.v1.RoomService/GetRoom``."""
        return self._methods.setdefault(method, MethodCalls())

    def collect(self) -> Iterator[Metric]:
        """The metrics as Prometheus collects them."""
        calls = CounterMetricFamily(
            "grpc_chat_calls",
            "Finished calls, by method and status; a stream counts when it ends.",
            labels=["method", "code"],
        )
        seconds = HistogramMetricFamily(
            "grpc_chat_call_seconds", "How long unary calls took, in seconds.", labels=["method"]
        )
        for path, method in self._methods.items():
            for code, count in [("OK", method.succeeded), *method.by_code.items()]:
                if count:
                    calls.add_metric([path, code], count)
            if method.seconds.any:
                method.seconds.add_to(seconds, [path])
        yield calls
        yield seconds


class Commits(Collector):
    """The transactions of the one writer."""

    def __init__(self) -> None:
        self.seconds = Distribution(_SECONDS)
        """How long they took. Only the writer's thread observes it."""
        self.batch = Distribution(_SIZES)
        """How many drafts and other writes went into them. Only the event loop observes it."""

    def collect(self) -> Iterator[Metric]:
        """The metrics as Prometheus collects them."""
        seconds = HistogramMetricFamily("grpc_chat_commit_seconds", "How long transactions took, in seconds.")
        self.seconds.add_to(seconds)
        yield seconds
        batch = HistogramMetricFamily(
            "grpc_chat_commit_batch", "How many messages and acknowledgements went into a transaction."
        )
        self.batch.add_to(batch)
        yield batch


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


class _Unfinished(Protocol):
    octets: int
    dropped: int


class _Unread(Protocol):
    octets: int
    ended: int


class Frames(Collector):
    """The frames of HTTP/2 that bring nothing, on the server's own engine.

    Attributes:
        kinds: What they are called.
        came: How many of each kind came.
        exceeded: How many connections were ended because of each kind.
        unfinished: What is kept of requests that have not come to their end.
        unread: What is kept of answers that clients have not read.
    """

    def __init__(self) -> None:
        self.unfinished: _Unfinished | None = None
        self.unread: _Unread | None = None
        self.kinds: Sequence[str] = ()
        self.came: Sequence[int] = ()
        self.exceeded: Sequence[int] = ()

    def collect(self) -> Iterator[Metric]:
        """The metrics as Prometheus collects them."""
        came = CounterMetricFamily(
            "grpc_chat_http2_frames",
            "Frames that cost the server something and bring nothing, by kind; "
            'only with `grpc.engine = "asyncio"`, like the next six.',
            labels=["kind"],
        )
        floods = CounterMetricFamily(
            "grpc_chat_http2_floods", "Connections ended for too many of them, by kind.", labels=["kind"]
        )
        for at, kind in enumerate(self.kinds):
            came.add_metric([kind], self.came[at])
            floods.add_metric([kind], self.exceeded[at])
        yield came
        yield floods
        octets, dropped = (self.unfinished.octets, self.unfinished.dropped) if self.unfinished else (0, 0)
        yield GaugeMetricFamily(
            "grpc_chat_http2_unfinished_bytes", "Bytes of requests that have not come to their end.", octets
        )
        yield CounterMetricFamily(
            "grpc_chat_http2_unfinished_dropped",
            "Requests, and connections, that were ended because these were too many.",
            dropped,
        )
        octets, ended = (self.unread.octets, self.unread.ended) if self.unread else (0, 0)
        yield GaugeMetricFamily(
            "grpc_chat_http2_unread_bytes", "Bytes of answers that clients have yet to read.", octets
        )
        yield CounterMetricFamily(
            "grpc_chat_http2_unread_ended",
            "Calls, and connections, that were ended because these were too many.",
            ended,
        )


class Metrics:
    """All metrics of one node.

    Args:
        registry: Where they are collected; by default its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.calls = Calls()
        self.registry.register(self.calls)
        self.streams = Gauge("grpc_chat_streams", "Open streams.", registry=self.registry)
        self.frames = Frames()
        self.registry.register(self.frames)
        self.connections = Gauge("grpc_chat_connections", "Open connections.", registry=self.registry)
        self.web_connections = Gauge(
            "grpc_chat_web_connections",
            "Open connections of browsers and others over HTTP.",
            registry=self.registry,
        )
        self.totals = Totals()
        self.registry.register(self.totals)
        self.tail_bytes = Gauge(
            "grpc_chat_tail_bytes", "Recent events kept in memory, in bytes.", registry=self.registry
        )
        self.commits = Commits()
        self.registry.register(self.commits)
        self.commits_waiting = Gauge(
            "grpc_chat_commits_waiting", "Messages waiting to be stored.", registry=self.registry
        )
        self.downloads = Gauge("grpc_chat_downloads", "Downloads of files under way.", registry=self.registry)
        self.reads_waiting = Gauge(
            "grpc_chat_reads_waiting", "Reads asked for and not done.", registry=self.registry
        )
