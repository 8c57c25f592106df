// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// Ten thousand operations of which one in a hundred fails, with collections in between: every
// promise settles, once, with the right result. (Criticals end the program: G_DEBUG is set.)

import Gaio from 'gi://Gaio?version=1.0';
import GLib from 'gi://GLib';
import System from 'system';

import {assert, equal, equalBytes, run, sleep, test} from './tap.js';

const COUNT = 10000;
const IN_FLIGHT = 200;
const EINVAL = 22, ENOSPC = 28;

// Runs operate(i) for all numbers, IN_FLIGHT at a time, and returns how they ended.
async function storm(operate) {
    const outcome = new Array(COUNT).fill(null);
    let settled = 0;

    async function worker(first) {
        for (let i = first; i < COUNT; i += IN_FLIGHT) {
            let result;
            try {
                result = await operate(i);
            } catch (error) {
                result = error;
            }
            assert(outcome[i] === null, `operation ${i} has not ended before`);
            outcome[i] = result;
            if (++settled % (COUNT / 100) === 0)
                System.gc();
        }
    }

    await Promise.all(Array.from({length: IN_FLIGHT}, (_, n) => worker(n)));
    equal(settled, COUNT, 'operations that settled');
    return outcome;
}

test('reads', async dir => {
    const data = Uint8Array.from({length: 65536}, (_, i) => (i * 7 + (i >> 8)) & 0xff);
    GLib.file_set_contents(`${dir}/data`, data);
    const file = await Gaio.open(`${dir}/data`, 'r');
    const offset = i => (i * 613) % (data.length - 64);
    const outcome = await storm(i => file.read_bytes(i % 100 === 0 ? -1 : offset(i), 64));
    for (const [i, result] of outcome.entries()) {
        if (i % 100 === 0)
            equal(result.errno, EINVAL, `errno of ${i}`);
        else
            equalBytes(result, data.subarray(offset(i), offset(i) + 64), `block ${i}`);
    }
    await file.close();
});

test('writes', async dir => {
    const file = await Gaio.open(`${dir}/written`, 'w');
    const full = await Gaio.open('/dev/full', 'w');
    const text = i => i.toString().padStart(8, '0');
    const outcome = await storm(i => (i % 100 === 0 ? full : file).write_bytes(i * 8, text(i)));
    for (const [i, result] of outcome.entries()) {
        if (i % 100 === 0)
            equal(result.errno, ENOSPC, `errno of ${i}`);
        else
            equal(result, 8, `length of ${i}`);
    }
    await file.close();
    await full.close();
    const contents = new TextDecoder().decode(GLib.file_get_contents(`${dir}/written`)[1]);
    for (let i = 0; i < COUNT; i++)
        equal(contents.slice(i * 8, i * 8 + 8), i % 100 === 0 ? '\0'.repeat(8) : text(i));
});

test('as many as make the engine collect by itself', async dir => {
    // GJS drops callbacks that come while it does so, and 80,000 of GIO's own hang.
    GLib.file_set_contents(`${dir}/many`, 'x'.repeat(4096));
    const file = await Gaio.open(`${dir}/many`, 'r');
    let left = 80000, done = 0;
    await Promise.all(Array.from({length: 32}, async () => {
        while (left-- > 0) {
            await file.read_bytes(0, 16);
            done++;
        }
    }));
    equal(done, 80000);
    await file.close();
});

test('promises nobody keeps', async dir => {
    GLib.file_set_contents(`${dir}/kept-by-none`, 'x'.repeat(4096));
    const file = await Gaio.open(`${dir}/kept-by-none`, 'r');
    for (let i = 0; i < 2000; i++) {
        file.read_bytes(i, 64);
        if (i % 100 === 0) {
            System.gc();
            await sleep(0);
        }
    }
    // close() waits for them all.
    await file.close();
});

run();
