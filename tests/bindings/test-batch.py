# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Batches: many operations with one call, and their results as a sequence."""

import asyncio
import errno
import gc
import os

from common import Case, Gaio
import tap


class Reading(Case):
    def test_one_length(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                offsets = [4096, 0, 100, 1024 * 1024 - 10, 2 * 1024 * 1024]
                batch = await file.read_batch(offsets, 4096)
                expected = [self.data[offset:offset + 4096] for offset in offsets]
                self.assertEqual(len(batch), 5)
                self.assertEqual(list(batch), expected)
                self.assertIs(type(batch[0]), bytes)
                self.assertEqual(batch[-2], expected[3])
                self.assertEqual(batch[1:3], expected[1:3])
                with self.assertRaises(IndexError):
                    batch[5]
                self.assertTrue(batch.check())

        asyncio.run(main())

    def test_any_sequence(self):
        file = Gaio.open_sync(self.path)
        expected = [self.data[offset:offset + 8] for offset in range(0, 800, 16)]
        self.assertEqual(list(file.read_batch_sync(range(0, 800, 16), 8)), expected)
        self.assertEqual(list(file.read_batch_sync((i for i in range(0, 800, 16)), 8)), expected)
        self.assertEqual(list(file.read_batch_sync(tuple(range(0, 800, 16)), [8] * 50)), expected)
        self.assertEqual([len(data) for data in file.read_batch_sync([0, 5, 9], range(1, 4))],
                         [1, 2, 3])
        empty = file.read_batch_sync([], 8)
        self.assertEqual((len(empty), list(empty), bool(empty)), (0, [], True))
        file.close_sync()

    def test_on_glib(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                return list(await file.read_batch([8, 0], 8))

        self.assertEqual(Gaio.run(main()), [self.data[8:16], self.data[:8]])

    def test_errors_are_of_each(self):
        file = Gaio.open_sync(self.path)
        batch = file.read_batch_sync([0, -1, 16], 8)
        self.assertEqual(batch[0], self.data[:8])
        self.assertEqual(batch[2], self.data[16:24])
        with self.assertRaises(OSError) as caught:
            batch[1]
        self.assert_errno(caught.exception, errno.EINVAL)
        with self.assertRaises(OSError):
            batch.check()
        with self.assertRaises(OSError):
            batch.view(1)
        got = []
        with self.assertRaises(OSError):
            for data in batch:
                got.append(data)
        self.assertEqual(got, [self.data[:8]])
        self.assertEqual(batch.get_counts(), [8, -errno.EINVAL, 8])
        file.close_sync()
        with self.assertRaises(OSError) as caught:
            file.read_batch_sync([0], 8)
        self.assert_errno(caught.exception, errno.EBADF)
        self.assertEqual(caught.exception.filename, self.path)

    def test_view_keeps_the_memory(self):
        file = Gaio.open_sync(self.path)
        batch = file.read_batch_sync([0, 4096, 2 * 1024 * 1024], 4096)
        view = batch.view(1)
        self.assertTrue(view.readonly)
        self.assertEqual(bytes(batch.view(2)), b"")
        gone = batch.weak_ref(lambda: dropped.append(True))
        dropped = []
        del batch
        gc.collect()
        self.assertEqual(dropped, [])
        self.assertEqual(bytes(view), self.data[4096:8192])
        view.release()
        del view, gone
        gc.collect()
        self.assertEqual(dropped, [True])
        file.close_sync()

    def test_iterator_keeps_the_memory(self):
        file = Gaio.open_sync(self.path)
        for offsets in (range(0, 400000, 4096), [1024 * 1024 - 10, 0]):
            for _ in range(5):
                items = iter(file.read_batch_sync(offsets, 4096))
                gc.collect()
                file.read_batch_sync(range(4096, 800000, 4096), 4096)
                self.assertEqual(list(items), [self.data[i:i + 4096] for i in offsets])
        file.close_sync()

    def test_cancelled(self):
        async def main():
            read_fd, write_fd = os.pipe()
            file = self.file_of_fd(read_fd)
            task = asyncio.create_task(wait(file))
            await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            os.close(write_fd)
            await file.close()

        async def wait(file):
            await file.read_batch([0, 0], 8)

        asyncio.run(main())


class Writing(Case):
    def test_pairs(self):
        path = os.path.join(self.dir, "written")

        async def main():
            async with await Gaio.open(path, "w+") as file:
                batch = await file.write_batch([(6, b"world"), (0, bytearray(b"hello ")),
                                                (-1, b"x"), (10, memoryview(b"D!"))])
                self.assertEqual(batch[0:2], [5, 6])
                with self.assertRaises(OSError):
                    batch[2]
                with self.assertRaises(TypeError):
                    batch.view(0)
                self.assertEqual(batch.get_n_failed(), 1)
                self.assertEqual(list(file.write_batch_sync(zip([0], [b"J"]))), [1])
                self.assertEqual(await file.read_bytes(0, 100), b"Jello worlD!")

        asyncio.run(main())


if __name__ == "__main__":
    tap.main()
