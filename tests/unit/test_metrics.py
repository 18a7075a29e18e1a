"""Metrics that are plain numbers."""

from __future__ import annotations

from grpc_chat.metrics import Metrics


def test_distribution_counts_each_number_in_its_bucket_and_all_above() -> None:
    metrics = Metrics()
    for number in (1, 2, 3, 50, 9999):
        metrics.commits.batch.observe(number)

    def sample(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"grpc_chat_commit_batch_{name}", labels)

    up_to = {bound: sample("bucket", le=bound) for bound in ("1.0", "2.0", "5.0", "20.0", "50.0", "+Inf")}
    assert up_to == {"1.0": 1, "2.0": 2, "5.0": 3, "20.0": 3, "50.0": 4, "+Inf": 5}
    assert (sample("count"), sample("sum")) == (5, 10055)


def test_calls_are_told_apart_by_method_and_status() -> None:
    metrics = Metrics()
    calls = metrics.calls.of("/chat.v1.RoomService/GetRoom")
    metrics.calls.of("/chat.v1.RoomService/ListRooms")
    calls.succeeded += 2
    calls.by_code["ROOM_NOT_FOUND"] = 3
    calls.seconds.observe(0.5)
    counted = {
        (sample.name, sample.labels.get("method"), sample.labels.get("code")): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name in ("grpc_chat_calls_total", "grpc_chat_call_seconds_count")
    }
    assert counted == {
        ("grpc_chat_calls_total", "/chat.v1.RoomService/GetRoom", "OK"): 2,
        ("grpc_chat_calls_total", "/chat.v1.RoomService/GetRoom", "ROOM_NOT_FOUND"): 3,
        ("grpc_chat_call_seconds_count", "/chat.v1.RoomService/GetRoom", None): 1,
    }
