// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// 4 KiB cached reads from GJS, 32 in flight: gaio by callback and by promise, GIO by callback and
// by promise, and blocking reads. Rounds of all are interleaved; the medians are printed, and their
// ratio to GIO's promises.
//
//     gjs -m bench-gjs.js [ROUNDS]

import Gaio from 'gi://Gaio?version=1.0';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

const SIZE = 64 * 1024 * 1024;
const BLOCK = 4096;
const IN_FLIGHT = 32;
const BATCH = 1000;

Gio._promisify(Gio.InputStream.prototype, 'read_bytes_async');

// The same offsets in each round, from a linear congruential generator.
function* places(count) {
    let state = 1;
    for (let i = 0; i < count; i++) {
        state = (state * 1103515245 + 12345) % 2147483648;
        yield (state % (SIZE / BLOCK)) * BLOCK;
    }
}

// IN_FLIGHT chains of `step`, which starts one read at an offset and calls back.
function chains(count, makeStep) {
    const remaining = places(count);
    let running = IN_FLIGHT;

    return new Promise((resolve, reject) => {
        for (let n = 0; n < IN_FLIGHT; n++) {
            const next = () => {
                const {value, done} = remaining.next();
                if (!done)
                    step(value);
                else if (--running === 0)
                    resolve();
            };
            const step = makeStep(next, reject);
            next();
        }
    });
}

async function workers(count, makeRead) {
    const remaining = places(count);
    await Promise.all(Array.from({length: IN_FLIGHT}, async () => {
        const read = makeRead();
        for (let next = remaining.next(); !next.done; next = remaining.next())
            await read(next.value);
    }));
}

const openGio = path => Gio.File.new_for_path(path).read(null);

const peers = {
    'gio-promise': [5000, (path, count) => workers(count, () => {
        const stream = openGio(path);
        return offset => {
            stream.seek(offset, GLib.SeekType.SET, null);
            return stream.read_bytes_async(BLOCK, GLib.PRIORITY_DEFAULT, null);
        };
    })],
    'gio-callback': [5000, (path, count) => chains(count, (next, reject) => {
        const stream = openGio(path);
        const read = Gio.InputStream.prototype._original_read_bytes_async;
        return offset => {
            stream.seek(offset, GLib.SeekType.SET, null);
            read.call(stream, BLOCK, GLib.PRIORITY_DEFAULT, null, (_, result) => {
                try {
                    stream.read_bytes_finish(result);
                    next();
                } catch (error) {
                    reject(error);
                }
            });
        };
    })],
    'gaio-promise': [20000, async (path, count) => {
        const file = await Gaio.open(path, 'r');
        await workers(count, () => offset => file.read_bytes(offset, BLOCK));
        await file.close();
    }],
    'gaio-batch': [100000, async (path, count) => {
        const file = await Gaio.open(path, 'r');
        const offsets = [...places(count)];
        for (let first = 0; first < count; first += BATCH) {
            for (const data of await file.read_batch(offsets.slice(first, first + BATCH), BLOCK)) {
                if (data.length !== BLOCK)
                    throw new Error('a short read');
            }
        }
        await file.close();
    }],
    'gaio-callback': [20000, async (path, count) => {
        const file = await Gaio.open(path, 'r');
        await chains(count, (next, reject) => offset => {
            file.read_bytes_async(offset, BLOCK, GLib.PRIORITY_DEFAULT, null, (_, result) => {
                try {
                    file.read_bytes_finish(result);
                    next();
                } catch (error) {
                    reject(error);
                }
            });
        });
        await file.close();
    }],
    'gio-sync': [40000, (path, count) => {
        const stream = openGio(path);
        for (const offset of places(count)) {
            stream.seek(offset, GLib.SeekType.SET, null);
            stream.read_bytes(BLOCK, null);
        }
    }],
};

function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function main() {
    const rounds = Number(ARGV[0] ?? 5);
    const dir = GLib.getenv('GAIO_BENCH_DIR') ?? GLib.get_tmp_dir();
    const path = `${dir}/gaio-bench-gjs-${GLib.uuid_string_random()}`;
    const rates = Object.fromEntries(Object.keys(peers).map(name => [name, []]));

    // In pieces, and collected: GJS drops callbacks, GIO's and ours, while the engine collects
    // large garbage in slices.
    const stream = Gio.File.new_for_path(path).create(Gio.FileCreateFlags.PRIVATE, null);
    const piece = new GLib.Bytes(new Uint8Array(1024 * 1024).fill(7));
    for (let size = 0; size < SIZE; size += piece.get_size())
        stream.write_bytes(piece, null);
    stream.close(null);
    System.gc();
    try {
        for (let round = 0; round <= rounds; round++) {
            for (const [name, [count, func]] of Object.entries(peers)) {
                const began = GLib.get_monotonic_time();
                await func(path, count);
                rates[name].push(count / (GLib.get_monotonic_time() - began) * 1e6);
                System.gc();
            }
        }
    } finally {
        GLib.unlink(path);
    }

    const engine = Gaio.Context.ref_thread_default().get_engine() === Gaio.Engine.THREADS
        ? 'threads' : 'io-uring';
    print(`4 KiB cached reads, ${IN_FLIGHT} in flight, engine ${engine}, ` +
        `median of ${rounds} rounds`);
    const base = median(rates['gio-promise'].slice(1));
    for (const [name, values] of Object.entries(rates)) {
        const rate = median(values.slice(1)); // the first round warms up
        print(`  ${name.padEnd(20)} ${(rate / 1000).toFixed(1).padStart(9)} k/s ` +
            `${(rate / base).toFixed(2).padStart(8)} x GIO`);
    }
}

const loop = new GLib.MainLoop(null, false);
let status = 0;
main().catch(error => {
    printerr(`${error}\n${error.stack ?? ''}`);
    status = 1;
}).finally(() => loop.quit());
loop.run();
System.exit(status);
