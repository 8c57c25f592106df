# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Ten thousand operations of which one in a hundred fails, with collections in between: every
awaitable settles, once, with the right result. (Criticals end the program: G_DEBUG is set.)"""

import asyncio
import errno
import gc
import os

from common import Case, Gaio, settle
import tap

COUNT = 10000
IN_FLIGHT = 200


class Storm(Case):
    async def reader(self, file, numbers, outcome):
        for i in numbers:
            offset = (i * 613) % (len(self.data) - 64)
            try:
                data = await file.read_bytes(-1 if i % 100 == 0 else offset, 64)
            except OSError as error:
                self.assert_errno(error, errno.EINVAL)
                result = "failed"
            else:
                self.assertEqual(data, self.data[offset:offset + 64])
                result = "read"
            self.assertNotIn(i, outcome)
            outcome[i] = result

    async def writer(self, good, full, numbers, outcome):
        for i in numbers:
            try:
                written = await (full if i % 100 == 0 else good).write_bytes(i * 8, b"%08d" % i)
            except OSError as error:
                self.assert_errno(error, errno.ENOSPC)
                result = "failed"
            else:
                self.assertEqual(written, 8)
                result = "written"
            self.assertNotIn(i, outcome)
            outcome[i] = result

    async def collector(self, outcome):
        last = -1
        while len(outcome) < COUNT and len(outcome) != last:
            last = len(outcome)
            while len(outcome) < min(last + COUNT // 100, COUNT):
                await self.breathe()
            gc.collect()

    def check(self, outcome, word):
        self.assertEqual(sorted(outcome), list(range(COUNT)))
        for i, result in outcome.items():
            self.assertEqual(result, "failed" if i % 100 == 0 else word)

    def check_written(self, path):
        with open(path, "rb") as file:
            for i in range(COUNT):
                self.assertEqual(file.read(8), b"\0" * 8 if i % 100 == 0 else b"%08d" % i)

    async def read_storm(self, start, finish):
        outcome = {}
        async with await Gaio.open(self.path) as file:
            tasks = [start(self.reader(file, range(n, COUNT, IN_FLIGHT), outcome))
                     for n in range(IN_FLIGHT)]
            tasks.append(start(self.collector(outcome)))
            await finish(tasks)
        self.check(outcome, "read")

    async def write_storm(self, path, start, finish):
        outcome = {}
        async with await Gaio.open(path, "w") as good, await Gaio.open("/dev/full", "w") as full:
            tasks = [start(self.writer(good, full, range(n, COUNT, IN_FLIGHT), outcome))
                     for n in range(IN_FLIGHT)]
            tasks.append(start(self.collector(outcome)))
            await finish(tasks)
        self.check(outcome, "written")
        self.check_written(path)

    async def gather(self, tasks):
        await asyncio.gather(*tasks)

    async def one_by_one(self, tasks):
        for task in tasks:
            await task

    def test_asyncio_reads(self):
        self.breathe = lambda: asyncio.sleep(0)
        asyncio.run(self.read_storm(asyncio.create_task, self.gather))

    def test_asyncio_writes(self):
        self.breathe = lambda: asyncio.sleep(0)
        asyncio.run(self.write_storm(os.path.join(self.dir, "asyncio"), asyncio.create_task,
                                     self.gather))

    def test_glib_reads(self):
        self.breathe = lambda: Gaio.load_bytes("/dev/null")
        Gaio.run(self.read_storm(Gaio.spawn, self.one_by_one))
        settle()

    def test_glib_writes(self):
        self.breathe = lambda: Gaio.load_bytes("/dev/null")
        Gaio.run(self.write_storm(os.path.join(self.dir, "glib"), Gaio.spawn, self.one_by_one))
        settle()

    def test_futures_nobody_keeps(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                for i in range(2000):
                    file.read_bytes(i, 64)
                    if i % 100 == 0:
                        gc.collect()
                        await asyncio.sleep(0)
                # close() waits for them all.

        asyncio.run(main())


if __name__ == "__main__":
    tap.main()
