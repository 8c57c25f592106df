// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// Directories and whole files, from GJS.

import Gaio from 'gi://Gaio?version=1.0';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {assert, equal, run, test, thrown} from './tap.js';

const ENOENT = 2, EBADF = 9, EBUSY = 16, EEXIST = 17, ENOTEMPTY = 39;

const {SHA256} = GLib.ChecksumType;
const {RECURSIVE} = Gaio.RemoveFlags;

function exists(path) {
    return GLib.file_test(path, GLib.FileTest.EXISTS);
}

async function checkErrno(func, errno) {
    const error = await thrown(func);
    equal(error.errno, errno, `errno of ${error}`);
}

test('make directories', async dir => {
    await Gaio.make_directory(`${dir}/a`);
    await checkErrno(() => Gaio.make_directory(`${dir}/a`), EEXIST);
    await checkErrno(() => Gaio.make_directory(`${dir}/b/c`), ENOENT);
    await Gaio.make_directory(`${dir}/b/c`, true);
    await Gaio.make_directory(`${dir}/b/c`, true, new Gio.Cancellable());
    Gaio.make_directory_sync(`${dir}/b/d`, false, 0o700);
    assert(exists(`${dir}/b/c`) && exists(`${dir}/b/d`));
});

test('query info', async dir => {
    const path = `${dir}/query`;
    const {FileQueryInfoFlags, FileType} = Gio;
    GLib.file_set_contents(path, 'twelve bytes');
    equal((await Gaio.query_info(path)).get_size(), 12);
    const info = await Gaio.query_info(Gio.File.new_for_path(path), 'standard::size');
    equal(info.list_attributes(null).join(), 'standard::size');
    equal(info.get_size(), 12);
    Gio.File.new_for_path(`${path}-link`).make_symbolic_link('query', null);
    const link = Gaio.query_info_sync(`${path}-link`, 'standard::*',
        FileQueryInfoFlags.NOFOLLOW_SYMLINKS);
    equal(link.get_file_type(), FileType.SYMBOLIC_LINK);
    equal(link.get_symlink_target(), 'query');
    equal((await Gaio.query_info(dir, null, new Gio.Cancellable())).get_file_type(),
        FileType.DIRECTORY);
    await checkErrno(() => Gaio.query_info(`${path}-none`), ENOENT);
    assert((await thrown(() => Gaio.query_info())) instanceof TypeError);
    const file = await Gaio.open(path);
    equal((await file.query_info()).get_size(), 12);
    await file.close();
});

test('scan directories', async dir => {
    const path = `${dir}/scan`;
    await Gaio.make_directory(`${path}/a/b`, true);
    GLib.file_set_contents(`${path}/a/file`, 'x');
    equal((await Gaio.scan_directory(path)).join(), 'a');
    const names = await Gaio.scan_directory(path, Gaio.ScanFlags.RECURSIVE);
    equal(names.sort().join(), 'a,a/b,a/file');
    equal(Gaio.scan_directory_sync(`${path}/a/b`).length, 0);
    await checkErrno(() => Gaio.scan_directory(`${path}/none`), ENOENT);
});

test('remove', async dir => {
    const path = `${dir}/remove`;
    await Gaio.make_directory(`${path}/a/b/c`, true);
    await checkErrno(() => Gaio.remove(path), ENOTEMPTY);
    let told = null;
    await Gaio.remove(path, RECURSIVE, (done, total) => {
        told = [done, total];
    });
    equal(told.join(), '4,4');
    assert(!exists(path));
    await checkErrno(() => Gaio.remove(path, RECURSIVE), ENOENT);
    GLib.file_set_contents(path, 'x');
    Gaio.remove_sync(path);
    assert(!exists(path));
});

test('checksum', async dir => {
    const path = `${dir}/data`;
    GLib.file_set_contents(path, 'x'.repeat(1000000));
    const expected = GLib.compute_checksum_for_string(SHA256, 'x'.repeat(1000000), -1);
    let told = null;
    equal(await Gaio.checksum(path, SHA256, (done, total) => {
        told = [done, total];
    }), expected);
    equal(told.join(), '1000000,1000000');
    equal(await Gaio.checksum(path, SHA256), expected);
    equal(Gaio.checksum_sync(path, SHA256), expected);
    const cancellable = new Gio.Cancellable();
    cancellable.cancel();
    const error = await thrown(() => Gaio.checksum(path, SHA256, cancellable));
    assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED), `${error}`);
});

test('enumerate', async dir => {
    const path = `${dir}/enumerate`;
    await Gaio.make_directory(path);
    for (let i = 0; i < 600; i++)
        GLib.file_set_contents(`${path}/${i}`, 'x');
    const names = new Set();
    for await (const info of await Gaio.enumerate(path)) {
        names.add(info.get_name());
        equal(info.get_size(), 1);
    }
    equal(names.size, 600);

    const enumerator = await Gaio.enumerate(path, 'standard::name');
    equal((await enumerator.next_files(10)).length, 10);
    const pending = enumerator.next_files(10);
    await checkErrno(() => enumerator.next_files(10), EBUSY);
    await pending;
    await enumerator.close();
    await checkErrno(() => enumerator.next_files(10), EBADF);

    const other = Gaio.enumerate_sync(path);
    equal(other.next_files_sync(1000).length, 600);
    equal(other.next_files_sync(1000).length, 0);
    equal(other.close_sync(), true);

    // Left in the midst.
    for await (const info of await Gaio.enumerate(path)) {
        equal(info.get_size(), 1);
        break;
    }

    let count = 0;
    for (const info of Gaio.enumerate_sync(path))
        count += info.get_size();
    equal(count, 600);
    const busy = await Gaio.enumerate(path);
    const [files, closed] = await Promise.all([
        busy.next_files(10).catch(error => [error]), busy.close()]);
    assert(files.length === 10 || files[0].matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CLOSED));
    equal(closed, true);
    assert(await thrown(() => new Gaio.Enumerator()) instanceof TypeError);
});

run();
