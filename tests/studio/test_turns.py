"""One render at a time, sixteen wait, the next is told to come again; a client that goes away frees its place."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from semanticgan.studio.store import NotThere, Store
from semanticgan.studio.turns import NUM_WAITING, Busy, Turns
from tests.studio.conftest import Client

Start = Callable[..., AbstractContextManager[Client]]


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)


def test_the_eighteenth_is_told_to_come_again(start: Start) -> None:
    go = threading.Event()
    with start() as client, ThreadPoolExecutor(NUM_WAITING) as others:
        turns = client.state.turns
        running = turns.submit(go.wait)
        waiting = [others.submit(client.post, "/api/render", {"seed": seed}) for seed in range(NUM_WAITING)]
        until(lambda: turns.num_open == NUM_WAITING + 1)
        began = time.monotonic()
        answer = client.post("/api/render", {"seed": 99})
        assert answer.status == 429 and int(answer.headers["retry-after"]) >= 1 and answer.sentence
        assert time.monotonic() - began < 20
        go.set()
        assert running.result()
        pictures = [future.result().content for future in waiting]
        assert len(set(pictures)) == NUM_WAITING, "everybody gets a picture of their own"
        assert client.post("/api/render", {"seed": 2}).content == pictures[2]


def test_a_client_that_goes_away_frees_its_place(start: Start) -> None:
    go = threading.Event()
    with start() as client:
        turns = client.state.turns
        turns.submit(go.wait)
        with socket.create_connection(("127.0.0.1", client.port), 20) as connection:
            body = b'{"seed": 3}'
            head = b"POST /api/render HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body)
            until(lambda: turns.num_open == 2)
        until(lambda: turns.num_open == 1)
        go.set()
        until(lambda: turns.num_open == 0)


def test_jobs_run_one_at_a_time_in_their_order() -> None:
    turns, order, inside = Turns(), [], threading.Lock()

    def job(number: int) -> None:
        assert inside.acquire(blocking=False), "two jobs at once"
        time.sleep(0.002)
        order.append(number)
        inside.release()

    futures = [turns.submit(lambda number=number: job(number)) for number in range(NUM_WAITING)]
    for future in futures:
        future.result()
    assert order == list(range(NUM_WAITING))
    turns.close()


def test_all_places_taken_is_an_error_and_a_free_one_is_none() -> None:
    turns, go = Turns(num_waiting=2), threading.Event()
    futures = [turns.submit(go.wait) for _ in range(3)]
    with pytest.raises(Busy):
        turns.submit(go.wait)
    assert futures[-1].cancel()
    futures[-1] = turns.submit(go.wait)
    go.set()
    assert all(future.result() for future in futures)
    turns.close()


def test_a_long_job_gives_way_to_renders() -> None:
    turns, order = Turns(), []
    started, waited = threading.Event(), threading.Event()

    def long_job() -> None:
        with turns.slices() as give_way:
            started.set()
            waited.wait(20)
            give_way()
            order.append("long")

    thread = threading.Thread(target=long_job)
    thread.start()
    started.wait(20)
    futures = [turns.submit(lambda: order.append("render")) for _ in range(2)]
    assert order == []
    waited.set()
    for future in futures:
        future.result()
    thread.join(20)
    assert order == ["render", "render", "long"]
    turns.close()


def test_what_is_kept_is_limited_in_number_and_time() -> None:
    now = [0.0]
    store: Store[str] = Store("result", at_most=3, kept_s=10, clock=lambda: now[0])
    names = [store.add(str(number)) for number in range(4)]
    assert len(store) == 3 and len(set(names)) == 4 and min(map(len, names)) >= 20
    with pytest.raises(NotThere, match="no result of this name"):
        store.get(names[0])
    assert store.get(names[3]) == "3"
    now[0] = 10.0
    assert len(store) == 0
    with pytest.raises(NotThere):
        store.get(names[3])
