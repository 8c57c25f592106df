// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// The work that a thread pool does by itself, from GJS. Nothing of JavaScript runs in a thread.

import Gaio from 'gi://Gaio?version=1.0';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import System from 'system';

import {assert, equal, equalBytes, run, test, thrown} from './tap.js';

const EBUSY = 16, ENOTSUP = 95;

const DATA = new Uint8Array(1024 * 1024);
for (let i = 0; i < DATA.length; i++)
    DATA[i] = (i * 31 + (i >> 8)) & 0xff;

const {SHA256} = GLib.ChecksumType;

let nRuns = 0;

const Script = GObject.registerClass({
    Implements: [Gio.Converter],
}, class Script extends GObject.Object {
    vfunc_convert() {
        nRuns++;
        return [Gio.ConverterResult.FINISHED, 1, 1];
    }

    vfunc_reset() {}
});

const ScriptZlib = GObject.registerClass({
    Implements: [Gio.Converter],
}, class ScriptZlib extends Gio.ZlibDecompressor {
    vfunc_convert() {
        nRuns++;
        return [Gio.ConverterResult.FINISHED, 1, 1];
    }
});

const Plain = GObject.registerClass(class Plain extends Gio.ZlibDecompressor {});

function gzip(level) {
    return Gio.ZlibCompressor.new(Gio.ZlibCompressorFormat.GZIP, level);
}

test('checksums', async () => {
    const pool = new Gaio.ThreadPool();
    for (const data of [new Uint8Array(), 'abc', new Uint8Array([1, 2, 3]).buffer, DATA,
        new GLib.Bytes(DATA)]) {
        const plain = typeof data === 'string' ? new TextEncoder().encode(data)
            : data instanceof ArrayBuffer ? new Uint8Array(data) : data;
        const expected = GLib.compute_checksum_for_bytes(SHA256, plain);
        equal(await pool.checksum(SHA256, data), expected);
        equal(pool.checksum_sync(SHA256, data), expected);
    }
});

test('converters', async () => {
    const pool = Gaio.ThreadPool.get_default();
    const pack = gzip(1);
    const unpack = Gio.ZlibDecompressor.new(Gio.ZlibCompressorFormat.GZIP);
    const packed = await pool.convert(pack, DATA);
    equalBytes(await pool.convert(unpack, packed), DATA);
    equalBytes(pool.convert_sync(unpack, packed), DATA);
    const error = await thrown(() => pool.convert(unpack, packed.toArray().subarray(0, 100)));
    assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.PARTIAL_INPUT), `${error}`);

    const first = pool.convert(pack, DATA);
    const busy = await thrown(() => pool.convert(pack, DATA));
    equal(busy.errno, EBUSY);
    await first;
});

test('what a converter notifies of comes home', async () => {
    const pool = Gaio.ThreadPool.get_default();
    const pack = gzip(1);
    pack.file_info = new Gio.FileInfo();
    pack.file_info.set_name('name');
    const packed = await pool.convert(pack, DATA);
    const unpack = Gio.ZlibDecompressor.new(Gio.ZlibCompressorFormat.GZIP);
    let name = null;
    unpack.connect('notify::file-info', () => {
        name = unpack.file_info?.get_name();
    });
    for (let i = 0; i < 20; i++) {
        name = null;
        equalBytes(await pool.convert(unpack, packed), DATA);
        equal(name, 'name');
    }
});

test('a converter of JavaScript is refused', async () => {
    const pool = Gaio.ThreadPool.get_default();
    for (const converter of [new Script(), new ScriptZlib()]) {
        const error = await thrown(() => pool.convert(converter, DATA));
        equal(error.errno, ENOTSUP);
        equal(nRuns, 0);
        equal(pool.convert_sync(converter, DATA).get_size(), 1);
        equal(nRuns, 1);
        nRuns = 0;
    }
    // Nothing of this one's work is JavaScript.
    const plain = new Plain({format: Gio.ZlibCompressorFormat.GZIP});
    equalBytes(await pool.convert(plain, await pool.convert(gzip(1), DATA)), DATA);
});

test('a cancel, and garbage on the way', async () => {
    const pool = new Gaio.ThreadPool();
    const cancellable = new Gio.Cancellable();
    const promise = pool.convert(gzip(9), DATA, cancellable);
    cancellable.cancel();
    const error = await thrown(() => promise);
    assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED), `${error}`);

    const sums = [];
    for (let i = 0; i < 200; i++) {
        sums.push(pool.checksum(SHA256, `${i}`));
        sums.push(pool.convert(gzip(1), `${i}`));
        if (i % 50 === 0)
            System.gc();
    }
    const results = await Promise.all(sums);
    equal(results[0], GLib.compute_checksum_for_string(SHA256, '0', -1));
});

run();
