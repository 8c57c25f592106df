// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// Gaio's streams in GJS, where Gio's are wanted.

import Gaio from 'gi://Gaio?version=1.0';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {assert, equal, equalBytes, run, test, thrown} from './tap.js';

// A program may have done so for those of Gio, and these are such.
Gio._promisify(Gio.InputStream.prototype, 'read_bytes_async', 'read_bytes_finish');

const DATA = new Uint8Array(1024 * 1024);
for (let i = 0; i < DATA.length; i++)
    DATA[i] = (i * 31 + (i >> 8)) & 0xff;

test('write, then read', async dir => {
    const path = `${dir}/streams`;
    const output = Gaio.FileOutputStream.new(await Gaio.open(path, 'w'));
    assert(output instanceof Gio.FileOutputStream);
    for (let i = 0; i < DATA.length; i += 8192)
        equal(await output.write_bytes_async(DATA.subarray(i, i + 8192), 0, null), 8192);
    assert(await output.close_async(0, null));

    const input = Gaio.FileInputStream.new(await Gaio.open(path, 'r'));
    let position = 0;
    for (;;) {
        const bytes = (await input.read_bytes_async(5000, 0, null)).toArray();
        if (bytes.length === 0)
            break;
        equalBytes(bytes, DATA.subarray(position, position + bytes.length));
        position += bytes.length;
    }
    equal(position, DATA.length, 'position');
    assert(await input.close_async(0, null));
});

test('construction', async dir => {
    const path = `${dir}/constructed`;
    const file = await Gaio.open(path, 'w+');
    const output = new Gaio.FileOutputStream({file, close_file: false, write_behind: 0});
    output.write('abc', null);
    output.close(null);
    const input = new Gaio.FileInputStream({file});
    equalBytes(input.read_bytes(9, null), new Uint8Array([97, 98, 99]));
    input.close(null);
    assert(file.closed);
    for (const name of ['FileInputStream', 'FileOutputStream', 'FileIOStream'])
        assert(await thrown(() => new Gaio[name]()) instanceof TypeError);
});

test('splice', async dir => {
    GLib.file_set_contents(`${dir}/source`, DATA);
    const source = Gaio.FileInputStream.new(await Gaio.open(`${dir}/source`, 'r'));
    const target = Gaio.FileOutputStream.new(await Gaio.open(`${dir}/target`, 'w'));
    const flags = Gio.OutputStreamSpliceFlags.CLOSE_SOURCE |
        Gio.OutputStreamSpliceFlags.CLOSE_TARGET;
    equal(await target.splice_async(source, flags, 0, null), DATA.length, 'count');
    equalBytes(GLib.file_get_contents(`${dir}/target`)[1], DATA);
});

test('what may be left out', async dir => {
    const path = `${dir}/short`;
    const output = Gaio.FileOutputStream.new(await Gaio.open(path, 'w'));
    equal(await output.write_bytes_async('abc'), 3);
    equal(await output.write_bytes_async(new Uint8Array([100]), 0, null), 1);
    assert(await output.flush_async());
    equal((await output.query_info_async('standard::size')).get_size(), 4);
    assert(await output.close_async());

    const input = Gaio.FileInputStream.new(await Gaio.open(path, 'r'));
    equal(await input.skip_async(1, GLib.PRIORITY_LOW), 1);
    equalBytes((await input.read_bytes_async(9)).toArray(), new Uint8Array([98, 99, 100]));
    const cancellable = new Gio.Cancellable();
    cancellable.cancel();
    const error = await thrown(() => input.read_bytes_async(1, 0, cancellable));
    assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED));
    assert(await thrown(() => input.read_bytes_async()) instanceof TypeError);
    assert(await input.close_async());

    const both = Gaio.FileIOStream.new(await Gaio.open(path, 'r+'));
    equal((await both.query_info_async('standard::size')).get_size(), 4);
    assert(await both.close_async());
});

test('with a callback', async dir => {
    GLib.file_set_contents(`${dir}/file`, 'abc');
    const input = Gaio.FileInputStream.new(await Gaio.open(`${dir}/file`, 'r'));
    const bytes = await new Promise(resolve => {
        const nothing = input.read_bytes_async(2, 0, null, (source, result) => {
            resolve(source.read_bytes_finish(result));
        });
        equal(nothing, undefined);
    });
    equalBytes(bytes.toArray(), new Uint8Array([97, 98]));
});

run();
