// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// Saving, copying and moving whole files, from GJS.

import Gaio from 'gi://Gaio?version=1.0';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

import {assert, equal, run, sleep, test, thrown} from './tap.js';

const ENOENT = 2, EEXIST = 17, EISDIR = 21;
const LARGE = 64 * 1024 * 1024;

const {OVERWRITE, NO_FALLBACK} = Gaio.CopyFlags;

function read(path) {
    return new TextDecoder().decode(GLib.file_get_contents(path)[1]);
}

function sizeOf(path) {
    return Gio.File.new_for_path(path).query_info('standard::size', 0, null).get_size();
}

async function checkErrno(func, errno) {
    const error = await thrown(func);
    equal(error.errno, errno, `errno of ${error}`);
}

async function makeDir(dir, name) {
    await Gaio.make_directory(`${dir}/${name}`);
    return `${dir}/${name}`;
}

// Not from memory of JavaScript: that much is collected in slices, and GJS drops the callbacks that
// come between two of them.
function makeLarge(dir) {
    const path = `${dir}/large`;
    GLib.spawn_command_line_sync(`dd if=/dev/zero of=${path} bs=${LARGE} count=1`);
    System.gc();
    return path;
}

test('save', async top => {
    const dir = await makeDir(top, 'save');
    const path = `${dir}/a`;
    await Gaio.save_bytes(path, 'one');
    equal(read(path), 'one');
    await Gaio.save_bytes(path, new Uint8Array([116, 119, 111]), Gaio.Durability.FULL);
    equal(read(path), 'two');
    await Gaio.save_bytes(path, new GLib.Bytes('three'), Gaio.Durability.DATA,
        new Gio.Cancellable());
    equal(read(path), 'three');
    Gaio.save_bytes_sync(path, '');
    equal(read(path), '');
    await checkErrno(() => Gaio.save_bytes(dir, 'x'), EISDIR);
    await checkErrno(() => Gaio.save_bytes(`${dir}/no/file`, 'x'), ENOENT);
    await Promise.all(Array.from({length: 200}, (_, i) =>
        Gaio.save_bytes(`${dir}/${i % 10}`, `${i % 10}`)));
    for (let i = 0; i < 10; i++)
        equal(read(`${dir}/${i}`), `${i}`);
    equal(Gaio.scan_directory_sync(dir).length, 11);
});

test('copy', async top => {
    const dir = await makeDir(top, 'copy');
    const source = makeLarge(dir);
    const told = [];
    await Gaio.copy(source, `${dir}/a`, 0, (done, total) => told.push([done, total]));
    equal(told.at(-1).join(), `${LARGE},${LARGE}`);
    equal(sizeOf(`${dir}/a`), LARGE);
    await checkErrno(() => Gaio.copy(source, `${dir}/a`), EEXIST);
    await Gaio.copy(source, `${dir}/a`, OVERWRITE);
    told.length = 0;
    Gaio.copy_sync(source, `${dir}/a`, OVERWRITE, (done, total) => told.push([done, total]));
    equal(told.at(-1).join(), `${LARGE},${LARGE}`);
    assert(await thrown(() => Gaio.copy(dir, `${dir}/b`)));
});

test('cancel from the progress', async top => {
    const dir = await makeDir(top, 'cancel');
    const source = makeLarge(dir);
    for (let i = 0; i < 5; i++) {
        const cancellable = new Gio.Cancellable();
        try {
            await Gaio.copy(source, `${dir}/a`, 0, () => cancellable.cancel(), cancellable);
            await Gaio.remove(`${dir}/a`);
        } catch (error) {
            assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED), `${error}`);
        }
        equal(Gaio.scan_directory_sync(dir).join(), 'large');
    }
});

// The progress functions are collected here, whatever the workers still do.
test('nobody waits', async top => {
    const dir = await makeDir(top, 'nobody');
    const source = makeLarge(dir);
    for (let i = 0; i < 8; i++) {
        let n = 0;
        Gaio.copy(source, `${dir}/${i}`, 0, () => n++).catch(logError);
    }
    System.gc();
    const all = [...Array(8).keys(), 'large'].join();
    while (Gaio.scan_directory_sync(dir).sort().join() !== all) {
        System.gc();
        await sleep(1);
    }
    System.gc();
    await sleep(20);
});

test('move', async top => {
    const dir = await makeDir(top, 'move');
    await Gaio.save_bytes(`${dir}/a`, 'one');
    await Gaio.save_bytes(`${dir}/other`, 'other');
    await Gaio.move(`${dir}/a`, `${dir}/b`);
    equal(read(`${dir}/b`), 'one');
    await checkErrno(() => Gaio.move(`${dir}/a`, `${dir}/b`, OVERWRITE), ENOENT);
    await checkErrno(() => Gaio.move(`${dir}/b`, `${dir}/other`), EEXIST);
    await Gaio.move(`${dir}/b`, `${dir}/other`, OVERWRITE | NO_FALLBACK);
    Gaio.move_sync(`${dir}/other`, `${dir}/a`);
    equal(Gaio.scan_directory_sync(dir).join(), 'a');
});

run();
