"""A hundred clients at once, and a thousand edits."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import semanticgan as sg
from semanticgan.studio.turns import NUM_WAITING
from tests.studio.conftest import Client, mix, script
from tests.studio.test_api import expected, pixels

Start = Callable[..., AbstractContextManager[Client]]
NUM_CLIENTS = 100
STATM = Path("/proc/self/statm")


@dataclass(frozen=True)
class Told:
    """What one client was answered, and the seconds of processor time until then."""

    seed: int
    status: int
    content: bytes
    processor: float


async def crowd(port: int, go_on: Callable[[], None]) -> list[Told]:
    """All clients connect, send at once, and wait; ``go_on`` is called once all but the served ones are answered."""
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(NUM_CLIENTS)]
    refused = 0

    async def ask(seed: int) -> Told:
        nonlocal refused
        reader, writer = streams[seed]
        body = json.dumps({"seed": seed}).encode()
        head = (
            f"POST /api/render HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.read(-1)
        processor = time.process_time() - began
        writer.close()
        head_, _, content = answer.partition(b"\r\n\r\n")
        status = int(head_.split()[1])
        refused += status == 429
        if status == 429 and refused == NUM_CLIENTS - NUM_WAITING - 1:
            go_on()
        return Told(seed, status, content, processor)

    began = time.process_time()
    return await asyncio.gather(*(ask(seed) for seed in range(NUM_CLIENTS)))


def refused_after(start: Start, tiny_model_file: Path, rounds: int) -> list[float]:
    """For each round: one client is served, sixteen wait, the rest are refused; seconds until the last of these knew.

    The seconds are of processor time, of the server and the hundred clients.
    """
    model = sg.load(tiny_model_file, device="cpu")
    slowest = []
    with start() as client:
        client.post("/api/render", {"seed": 0})  # the model is loaded
        turns = client.state.turns
        for _ in range(rounds):
            most: list[int] = []

            def go_on(most: list[int] = most) -> None:
                most.append(turns.num_open)
                turns._compute.release()

            turns._compute.acquire()  # the first job runs until it is released
            told = asyncio.run(crowd(client.port, go_on))
            assert Counter(one.status for one in told) == {200: NUM_WAITING + 1, 429: NUM_CLIENTS - NUM_WAITING - 1}
            assert most == [NUM_WAITING + 1]
            slowest.append(max(one.processor for one in told if one.status == 429))
            for one in told:
                if one.status == 200:
                    assert np.abs(pixels(one.content) - expected(model, model.sample(seed=one.seed))).max() <= 1
                else:
                    assert json.loads(one.content)["error"].startswith("the studio is busy")
    return slowest


def test_of_a_hundred_clients_one_runs_sixteen_wait_and_the_rest_are_refused(
    start: Start, tiny_model_file: Path
) -> None:
    assert len(refused_after(start, tiny_model_file, rounds=1)) == 1


@pytest.mark.by_name  # of a quiet machine
def test_the_rest_are_refused_within_200_ms(start: Start, tiny_model_file: Path) -> None:
    slowest = refused_after(start, tiny_model_file, rounds=3)
    assert min(slowest) < 0.2, f"{slowest} s of processor time"


@pytest.mark.by_name
@pytest.mark.skipif(not STATM.exists(), reason="needs /proc, which tells a process's memory")
def test_a_thousand_edits_need_no_more_memory_than_fifty(start: Start) -> None:
    """Within 5 %: 1,000 edits of one client, with and without a composite, in a process that tests share."""

    def memory() -> int:
        gc.collect()
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    with start() as client:
        regions = ("hair", "eye", "face", "glasses")

        def edit(number: int) -> None:
            operation = mix(number, regions[number % 4], what=("both", "structure", "texture")[number % 3])
            body = {"script": script(3, operation), "client": "a-client-of-the-test"}
            if number % 2:
                body["composite_after"] = 0
            assert client.post("/api/edit", body).status == 200

        for number in range(50):
            edit(number)
        after_50 = memory()
        for number in range(50, 1000):
            edit(number)
        growth = memory() / after_50 - 1
        assert growth < 0.05, f"{after_50 / 1e6:.0f} MB grew by {growth:.1%}"
