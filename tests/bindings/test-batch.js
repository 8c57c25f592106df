// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// Batches: many operations with one call, and their results as a sequence.

import Gaio from 'gi://Gaio?version=1.0';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

import {assert, equal, equalBytes, run, test, thrown} from './tap.js';

const EBADF = 9, EINVAL = 22;

const DATA = new Uint8Array(64 * 1024);
for (let i = 0; i < DATA.length; i++)
    DATA[i] = (i * 31 + (i >> 8)) & 0xff;

function open(dir) {
    const path = `${dir}/data`;
    GLib.file_set_contents(path, DATA);
    return Gaio.open(path, 'r');
}

test('one length for all', async dir => {
    const file = await open(dir);
    const offsets = [4096, 0, 100, DATA.length - 10, 2 * DATA.length];
    const batch = await file.read_batch(offsets, 4096);
    equal(batch.length, 5);
    let i = 0;
    for (const data of batch) {
        assert(data instanceof Uint8Array);
        equalBytes(data, DATA.subarray(offsets[i], offsets[i] + 4096));
        i++;
    }
    equal(i, 5);
    equalBytes(batch.at(-2), DATA.subarray(DATA.length - 10));
    equal(batch.at(5), undefined);
    equal(batch.check(), true);
    await file.close();
});

test('a length each, blocking, and nothing', async dir => {
    const file = await open(dir);
    equal([...file.read_batch_sync([0, 5, 9], [1, 2, 3])].map(data => data.length).join(), '1,2,3');
    const empty = await file.read_batch([], 10);
    equal(empty.length, 0);
    equal([...empty].length, 0);
    const cancellable = new Gio.Cancellable();
    equalBytes((await file.read_batch(new Set([8]), 8, cancellable)).at(0), DATA.subarray(8, 16));
    await file.close();
});

test('errors are of each', async dir => {
    const file = await open(dir);
    const batch = await file.read_batch([0, -1, 16], 8);
    equalBytes(batch.at(2), DATA.subarray(16, 24));
    for (const func of [() => batch.at(1), () => batch.check(), () => [...batch]]) {
        const error = await thrown(func);
        assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.INVALID_ARGUMENT));
        equal(error.errno, EINVAL);
    }
    equal(batch.get_counts().join(), '8,-22,8');
    equal(batch.get_n_failed(), 1);
    await file.close();
    equal((await thrown(() => file.read_batch([0], 8))).errno, EBADF);
    equal((await thrown(() => file.read_batch_sync([0, 1, 2], [8, 8]))).errno, EINVAL);
});

test('views keep the memory', async dir => {
    const file = await open(dir);
    const views = [];
    for (let i = 0; i < 20; i++)
        views.push((await file.read_batch([i * 10, 0], 1000)).at(0));
    System.gc();
    views.forEach((view, i) => equalBytes(view, DATA.subarray(i * 10, i * 10 + 1000)));
    await file.close();
});

test('writing pairs', async dir => {
    const file = await Gaio.open(`${dir}/written`, 'w+');
    const batch = await file.write_batch([
        [6, 'world'], [0, new Uint8Array([72, 101, 108, 108, 111, 32])], [-1, 'x'],
        [10, new GLib.Bytes('D!')],
    ]);
    equal(batch.at(0), 5);
    equal(batch.at(1), 6);
    equal((await thrown(() => batch.at(2))).errno, EINVAL);
    equal([...file.write_batch_sync([[0, 'J']])].join(), '1');
    const bytes = await file.read_bytes(0, 100);
    equal(new TextDecoder().decode(bytes.toArray()), 'Jello worlD!');
    await file.close();
});

run();
