"""How long searches take over many messages, and how large the index is."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from uuid import UUID

from benchmarks.corpus import Corpus
from grpc_chat.bus.local import LocalBus
from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.store.base import Transact
from grpc_chat.store.search_sqlite import SqliteSegments
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Append, Draft, Once
from grpc_chat.wire import chat_pb2 as pb

ROOMS = 200
"""Of which the caller is in the first half; the last one has a rare word that they can't find."""


async def run(messages: int, folder: Path) -> list[str]:
    """Fill a database, make the index, and search."""
    store = open_store(folder)
    store.check_sessions = False
    names = [f"room{number:03}" for number in range(ROOMS)]
    for at, name in enumerate(names):
        members = {"bob": pb.ROLE_MEMBER} | ({"alice": pb.ROLE_MEMBER} if at < ROOMS // 2 else {})
        store.commit([Transact(lambda tx, n=name, m=members: tx.put_room(n, n, m))])  # type: ignore[misc]
    rng, size, sample = random.Random(3), 0, list[str]()
    texts, done = Corpus().texts(), 0
    weights = [1 / (at + 5) for at in range(ROOMS)]
    rng.shuffle(weights)
    while done < messages:
        drafts: list[Draft] = []
        for text in islice(texts, min(4096, messages - done)):
            done += 1
            if done % 2:
                text += " everywhere"
            room = rng.choices(names, weights)[0]
            if room == names[-1]:
                text += " xylophon"
            size += len(text.encode())
            if len(sample) < 20_000:
                sample.append(text)
            event = pb.Event(room_id=room, user_id="bob", message=pb.Message(text=text))
            drafts.append(Draft(event, "", lambda *_: None, Once(UUID(int=done).bytes, b"")))
        store.commit([Append(drafts)])
    segments = SqliteSegments(folder / "search.db")
    async with ChatSystem(store, LocalBus().port(), segments=segments, housekeeping=False) as system:
        search = system.search
        started, used = time.perf_counter(), time.process_time()
        await search._load()
        await search._keep_up()
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
        ratio = (folder / "search.db").stat().st_size / size
        rows = [
            f"| {messages:,} messages, {size / 1e6:.0f} MB: the index | {ratio:.2f} times the text | "
            f"made in {seconds:.0f} s, {cpu:.0f} s of CPU | |"
        ]
        chinese = Counter(
            text[at : at + 2]
            for text in sample
            for at in range(len(text) - 1)
            if "\u4e00" <= text[at] <= "\u9fff" and "\u4e00" <= text[at + 1] <= "\u9fff"
        ).most_common(3000)
        words = Counter(word.lower() for text in sample for word in text.split() if word.isascii())
        three = [word for word, _ in words.most_common(5000) if len(word) == 3]
        common = [word for word, _ in words.most_common(2000)]
        pairs = [pair for pair, _ in chinese]
        some = random.Random(5)
        kinds: dict[str, list[list[str]]] = {
            "three letters": [[some.choice(three)] for _ in range(400)],
            "two Chinese characters": [[some.choice(pairs)] for _ in range(400)],
            "one Chinese character": [[some.choice(pairs)[0]] for _ in range(100)],
            "two words": [some.sample(common, 2) for _ in range(200)],
            "in half of all messages": [["everywhere"]] * 100,
            "in none": [["qzxjkw"]] * 100,
            "in rooms of others alone": [["xylophon"]] * 100,
        }
        for kind, queries in kinds.items():
            took: list[float] = []
            hits = 0
            for terms in queries:
                request = pb.SearchMessagesRequest(terms=terms, page_size=20)
                started = time.perf_counter()
                found = await search.search(Caller("alice", ""), request)
                took.append(1000 * (time.perf_counter() - started))
                hits += len(found.entries)
            took.sort()
            p50, p99 = statistics.median(took), took[int(len(took) * 0.99)]
            rows.append(f"| {kind} | {p50:.1f} ms | {p99:.1f} ms | {hits / len(took):.1f} |")
    segments.close()
    store.close()
    return rows


def rows(*, messages: int) -> list[str]:
    """What a table has of it; all is done in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(messages, Path(folder)))
