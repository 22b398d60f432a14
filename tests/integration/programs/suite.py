"""A test suite of somebody's: processes, threads, children, files, an event loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import unittest


def square(number: int) -> int:
    return number * number


class Suite(unittest.TestCase):
    def test_processes(self) -> None:
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                assert pool.map(square, range(4)) == [0, 1, 4, 9]

    def test_queue_between_processes(self) -> None:
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=queue.put, args=("text",))
        child.start()
        assert queue.get() == "text"
        child.join()

    def test_threads(self) -> None:
        seen: list[int] = []
        threads = [threading.Thread(target=seen.append, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seen) == list(range(16))

    def test_child(self) -> None:
        done = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, check=True)
        assert done.stdout == b"42\n"

    def test_event_loop(self) -> None:
        async def ask() -> bytes:
            child = await asyncio.create_subprocess_exec("echo", "text", stdout=subprocess.PIPE)
            return (await child.communicate())[0]

        assert asyncio.run(ask()) == b"text\n"

    def test_files(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "file")
            with open(path, "w", encoding="utf-8") as file:
                file.write("text")
            os.chmod(path, 0o600)
            os.rename(path, path + ".old")
            assert os.listdir(directory) == ["file.old"]
