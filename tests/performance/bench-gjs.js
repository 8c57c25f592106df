// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// From GJS: 4 KiB cached reads, 32 in flight, by gaio with callbacks, promises and batches, by GIO
// with callbacks and promises, and blocking; and a file of 64 MiB loaded whole. Rounds of all are
// interleaved; the medians are printed with their ratio to GIO's promises, or to the blocking load,
// and the aims as reached or not.
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
Gio._promisify(Gio.File.prototype, 'load_contents_async');

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

// How many reads a round has, and how to do them.
const reads = {
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
    'gaio-batch': [20000, async (path, count) => {
        const file = await Gaio.open(path, 'r');
        const offsets = [...places(count)];
        for (let begin = 0; begin < count; begin += BATCH) {
            for (const data of await file.read_batch(offsets.slice(begin, begin + BATCH), BLOCK)) {
                if (data.length !== BLOCK)
                    throw new Error(`${data.length} bytes`);
            }
        }
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

const loads = {
    'sync': path => GLib.file_get_contents(path)[1].length,
    'gaio-promise': async path => (await Gaio.load_bytes(path)).toArray().length,
    'gio-promise': async path => {
        const [contents] = await Gio.File.new_for_path(path).load_contents_async(null);
        return contents.length;
    },
};

// At least so many times the first one's rate; at most so many times its time.
const readAims = {'gaio-promise': 3, 'gaio-batch': 10};
const loadAims = {'gaio-promise': 1.2};

const answer = reached => reached ? 'yes' : 'no';

function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Microseconds of each; the first round warms up.
async function measure(rounds, functions) {
    const times = Object.fromEntries(Object.keys(functions).map(name => [name, []]));
    for (let round = 0; round <= rounds; round++) {
        for (const [name, func] of Object.entries(functions)) {
            const began = GLib.get_monotonic_time();
            await func();
            times[name].push(GLib.get_monotonic_time() - began);
            System.gc();
        }
    }
    return Object.fromEntries(Object.entries(times).map(([name, values]) =>
        [name, median(values.slice(1))]));
}

async function compareReads(path, rounds) {
    const functions = Object.fromEntries(Object.entries(reads).map(([name, [count, func]]) =>
        [name, () => func(path, count)]));
    const times = await measure(rounds, functions);
    const engine = Gaio.Context.ref_thread_default().get_engine() === Gaio.Engine.THREADS
        ? 'threads' : 'io-uring';
    print(`4 KiB cached reads, ${IN_FLIGHT} in flight, engine ${engine}, ` +
        `median of ${rounds} rounds`);
    const rateOf = name => reads[name][0] / times[name] * 1e6;
    for (const name of Object.keys(reads)) {
        const ratio = rateOf(name) / rateOf('gio-promise');
        let line = `  ${name.padEnd(20)} ${(rateOf(name) / 1000).toFixed(1).padStart(9)} k/s ` +
            `${ratio.toFixed(2).padStart(8)} x GIO`;
        if (readAims[name])
            line += `  aim: >= ${readAims[name]}, reached: ${answer(ratio >= readAims[name])}`;
        print(line);
    }
}

async function compareLoads(path, rounds) {
    const functions = Object.fromEntries(Object.entries(loads).map(([name, func]) =>
        [name, async () => {
            const size = await func(path);
            if (size !== SIZE)
                throw new Error(`${name}: ${size} bytes`);
        }]));
    const times = await measure(rounds, functions);
    print(`load ${SIZE / 1024 / 1024} MiB, median of ${rounds} rounds`);
    for (const name of Object.keys(loads)) {
        const ratio = times[name] / times['sync'];
        let line = `  ${name.padEnd(20)} ${(times[name] / 1000).toFixed(1).padStart(9)} ms ` +
            `${ratio.toFixed(2).padStart(8)}`;
        if (loadAims[name])
            line += `  aim: <= ${loadAims[name]}, reached: ${answer(ratio <= loadAims[name])}`;
        print(line);
    }
}

async function main() {
    const rounds = Number(ARGV[0] ?? 5);
    const dir = GLib.getenv('GAIO_BENCH_DIR') ?? GLib.get_tmp_dir();
    const path = `${dir}/gaio-bench-gjs-${GLib.uuid_string_random()}`;

    // In pieces, and collected: GJS drops callbacks, GIO's and ours, while the engine collects
    // large garbage in slices.
    const stream = Gio.File.new_for_path(path).create(Gio.FileCreateFlags.PRIVATE, null);
    const piece = new GLib.Bytes(new Uint8Array(1024 * 1024).fill(7));
    for (let size = 0; size < SIZE; size += piece.get_size())
        stream.write_bytes(piece, null);
    stream.close(null);
    System.gc();
    try {
        await compareReads(path, rounds);
        await compareLoads(path, rounds);
    } finally {
        GLib.unlink(path);
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
