// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// Promises, async iteration and errors in GJS.

import Gaio from 'gi://Gaio?version=1.0';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

import {assert, equal, equalBytes, run, skip, sleep, test, thrown} from './tap.js';

const ENOENT = 2, EBADF = 9, EACCES = 13, EISDIR = 21, EINVAL = 22, ENOSPC = 28, ECANCELED = 125;

const DATA = new Uint8Array(1024 * 1024);
for (let i = 0; i < DATA.length; i++)
    DATA[i] = (i * 31 + (i >> 8)) & 0xff;

function withData(dir) {
    const path = `${dir}/data`;
    GLib.file_set_contents(path, DATA);
    return path;
}

// A pipe, from the outside: [file to read from, stream to write to].
function makePipe(dir) {
    const path = `${dir}/fifo-${GLib.uuid_string_random()}`;
    const [, , , status] = GLib.spawn_command_line_sync(`mkfifo ${path}`);
    equal(status, 0, 'mkfifo');
    // Opened for both, a fifo does not wait for its other end.
    const file = Gaio.open_sync(path, 'r+');
    return [file, Gio.File.new_for_path(path).append_to(0, null)];
}

async function checkError(func, domain, code, errno) {
    const error = await thrown(func);
    assert(error instanceof GLib.Error, `${error} is a GLib.Error`);
    assert(error.matches(domain, code), `${error} matches`);
    equal(error.errno, errno, `errno of ${error}`);
    return error;
}

test('open, read, close', async dir => {
    const file = await Gaio.open(withData(dir), 'r');
    assert(file instanceof Gaio.File);
    const bytes = await file.read_bytes(4096, 100);
    assert(bytes instanceof GLib.Bytes);
    equalBytes(bytes, DATA.subarray(4096, 4196));
    equal(file.is_closed(), false);
    equal(await file.close(), true);
    equal(file.is_closed(), true);
});

test('arguments with defaults, and the cancellable last', async dir => {
    const file = await Gaio.open(withData(dir));
    equal((await file.query_info()).get_size(), DATA.length);
    equal((await file.query_info('standard::size')).get_size(), DATA.length);
    const cancellable = new Gio.Cancellable();
    equalBytes(await file.read_bytes(0, 10, cancellable), DATA.subarray(0, 10));
    equalBytes(await file.read_bytes(0, 10, null), DATA.subarray(0, 10));
    equal(await file.sync(), true);
    equal(await file.sync(cancellable), true);
    equal(await file.sync(true, cancellable), true);
    equal(await file.close(cancellable), true);
    for (const call of [() => file.read_bytes(), () => file.read_bytes(1),
        () => file.read_bytes(1, 2, null, 4), () => Gaio.open()]) {
        const error = await thrown(call);
        assert(error instanceof TypeError, `${error} is a TypeError`);
    }
});

test('open_full, open_gfile, and a Gio.File for a path', async dir => {
    const flags = Gaio.OpenFlags;
    const path = withData(dir);
    const gfile = Gio.File.new_for_path(path);
    const file = await Gaio.open_full(path, flags.READ | flags.NOFOLLOW);
    equalBytes(await file.read_bytes(0, 4), DATA.subarray(0, 4));
    await file.close();
    for (const other of [await Gaio.open_gfile(gfile, flags.READ), Gaio.open_sync(gfile),
        Gaio.open_gfile_sync(gfile, flags.READ, 0), await Gaio.open(gfile, 'r'),
        Gaio.File.new_for_path(Gaio.Context.ref_thread_default(), gfile, 'r'),
        await Gaio.open_full(gfile, flags.READ)]) {
        equal(other.get_path(), path);
        equal(await other.close(), true);
    }
    equalBytes(await Gaio.load_bytes(gfile), DATA);

    GLib.unlink(`${dir}/made`);
    const made = await Gaio.open_full(`${dir}/made`, flags.WRITE | flags.CREATE, 0o600);
    equal((await made.query_info()).get_attribute_uint32('unix::mode') & 0o777, 0o600);
    await made.close();

    const remote = Gio.File.new_for_uri('http://example.org/a');
    for (const call of [() => Gaio.open(remote), () => Gaio.open_gfile(remote, flags.READ),
        () => Gaio.open_gfile_sync(remote, flags.READ)]) {
        const error = await checkError(call, Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_SUPPORTED, 95);
        assert(error.message.includes('http://example.org/a'), error.message);
    }
    await checkError(() => Gaio.open_full(path, 0), Gio.IOErrorEnum,
        Gio.IOErrorEnum.INVALID_ARGUMENT, EINVAL);
});

test('end of file', async dir => {
    const file = await Gaio.open(withData(dir), 'r');
    equal((await file.read_bytes(DATA.length - 10, 100)).get_size(), 10);
    equal((await file.read_bytes(DATA.length, 100)).get_size(), 0);
    equal((await file.read_bytes(0, 0)).get_size(), 0);
    await file.close();
});

test('thousands of reads in flight', async dir => {
    const file = await Gaio.open(withData(dir), 'r');
    const reads = [];
    for (let i = 0; i < 5000; i++)
        reads.push(file.read_bytes(i * 64, 64));
    const results = await Promise.all(reads);
    for (const [i, bytes] of results.entries())
        equalBytes(bytes, DATA.subarray(i * 64, i * 64 + 64), `block ${i}`);
    await file.close();
});

// GJS would cut it off there, and another file would be meant.
test('a null character in a path', async dir => {
    const path = `${dir}/cut\0off`;
    const context = Gaio.Context.ref_thread_default();
    for (const func of [
        () => Gaio.save_bytes(path, 'a\0b'), () => Gaio.save_bytes_sync(path, 'a\0b'),
        () => Gaio.open(path, 'w'), () => Gaio.copy(`${dir}/data`, path),
        () => Gaio.File.new_for_path(context, path, 'w')])
        assert(await thrown(func) instanceof TypeError);
    assert(!GLib.file_test(`${dir}/cut`, GLib.FileTest.EXISTS));
    await Gaio.save_bytes(`${dir}/text`, 'a\0b');
    equal((await Gaio.load_bytes(`${dir}/text`)).get_size(), 3);
});

test('load_bytes', async dir => {
    equalBytes(await Gaio.load_bytes(withData(dir)), DATA);
    equal((await Gaio.load_bytes('/dev/null')).get_size(), 0);
    equalBytes(Gaio.load_bytes_sync(withData(dir)), DATA);
});

test('write: typed array, GLib.Bytes, string, ArrayBuffer', async dir => {
    const path = `${dir}/written`;
    const file = await Gaio.open(path, 'w');
    const array = new Uint8Array([1, 2, 3]);
    equal(await file.write_bytes(0, array), 3);
    equal(await file.write_bytes(3, new GLib.Bytes(array)), 3);
    equal(await file.write_bytes(6, 'ä€'), 5);
    equal(await file.write_bytes(11, array.buffer), 3);
    equal(await file.write_bytes(14, new Uint8Array(0)), 0);
    await file.truncate(13);
    equal(await file.write(13, new GLib.Bytes(array)), 3);
    for (const write of ['write', 'write_bytes']) {
        equal(await file[write](16, new Uint16Array([0x0101, 0x0202, 0x0303])), 6);
        equal(await file[write](20, new DataView(array.buffer, 1)), 2);
    }
    const pool = new Gaio.BufferPool({buffer_bytes: 4096, n_buffers: 1});
    equal(await file.write_bytes(22, pool.copy_bytes('ä')), 2);
    await file.close();
    const [, contents] = GLib.file_get_contents(path);
    equalBytes(contents, new Uint8Array([
        1, 2, 3, 1, 2, 3, 0xc3, 0xa4, 0xe2, 0x82, 0xac, 1, 2, 1, 2, 3, 1, 1, 2, 2, 2, 3,
        0xc3, 0xa4]));
});

test('pieces, room and locks', async dir => {
    const path = `${dir}/pieces`;
    const file = await Gaio.open(path, 'w+');
    const other = await Gaio.open(path, 'r+');
    const text = bytes => new TextDecoder().decode(bytes.toArray());
    equal(await file.write(0, 'hello '), 6);
    equal(await file.writev_bytes(6, ['wor', new GLib.Bytes(new TextEncoder().encode('ld'))]), 5);
    equal(await other.append_bytes('!'), 1);
    equal((await file.readv_bytes(0, [5, 1, 100, 3])).map(text).join('|'), 'hello| |world!|');
    equal(file.readv_bytes_sync(2, [1, 2]).map(text).join('|'), 'l|lo');
    equal(await file.copy_range(0, other, 20, 5), 5);
    equal(text(await file.read_bytes(20, 10)), 'hello');
    equal(await file.zero_range(0, 3), true);
    equalBytes(await file.read_bytes(0, 4), new Uint8Array([0, 0, 0, 108]));
    equal(await file.advise(Gaio.Advice.WILL_NEED), true);
    await checkError(() => file.allocate(-1, 10), Gio.IOErrorEnum,
        Gio.IOErrorEnum.INVALID_ARGUMENT, EINVAL);

    equal(await file.lock(Gaio.LockType.EXCLUSIVE), true);
    await checkError(() => other.try_lock(Gaio.LockType.SHARED), Gio.IOErrorEnum,
        Gio.IOErrorEnum.WOULD_BLOCK, 11);
    const waiting = other.lock(Gaio.LockType.SHARED, 0, 10);
    equal(await file.unlock(), true);
    equal(await waiting, true);
    await file.close();
    await other.close();
});

test('the array may change while it is written', async dir => {
    const path = `${dir}/changed`;
    const file = await Gaio.open(path, 'w');
    const array = new Uint8Array(300000).fill(1);
    const write = file.write_bytes(0, array);
    array.fill(2);
    await write;
    await file.close();
    const [, contents] = GLib.file_get_contents(path);
    assert(contents.every(byte => byte === 1), 'what was there when write_bytes() was called');
});

test('for await', async dir => {
    const file = await Gaio.open(withData(dir), 'r');
    for (const size of [1000, 65536, DATA.length, DATA.length + 1]) {
        let position = 0;
        for await (const bytes of file.chunks(size)) {
            equalBytes(bytes, DATA.subarray(position, position + size));
            position += bytes.get_size();
        }
        equal(position, DATA.length);
    }
    let position = 0;
    for await (const bytes of file)
        position += bytes.get_size();
    equal(position, DATA.length);
    for await (const bytes of file.chunks(4096, {offset: 5000, ahead: 1})) {
        equalBytes(bytes, DATA.subarray(5000, 9096));
        break;
    }
    for (const bad of [[0], [-1], [1, {ahead: 0}]]) {
        const error = await thrown(() => file.chunks(...bad).next());
        assert(error instanceof RangeError, `${error} is a RangeError`);
    }
    await file.close();
    const error = await thrown(() => file.chunks().next());
    assert(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CLOSED), 'closed');
});

test('for await over a fifo', async dir => {
    const [file, writer] = makePipe(dir);
    const got = [];
    writer.write('first', null);
    for await (const bytes of file.chunks(100)) {
        got.push(new TextDecoder().decode(bytes.toArray()));
        if (got.length === 2)
            break;
        writer.write('second', null);
    }
    equal(got.join(), 'first,second');
    await file.close();
    writer.close(null);
});

test('errors', async dir => {
    const path = withData(dir);
    const {IOErrorEnum} = Gio;
    const missing = `${dir}/missing`;

    for (const form of ['', '_sync']) {
        const error = await checkError(() => Gaio[`open${form}`](missing, 'r'),
            IOErrorEnum, IOErrorEnum.NOT_FOUND, ENOENT);
        assert(error.message.includes(missing), `${error.message} names the file`);
        await checkError(() => Gaio[`load_bytes${form}`](missing),
            IOErrorEnum, IOErrorEnum.NOT_FOUND, ENOENT);
        await checkError(() => Gaio[`open${form}`](dir, 'r'),
            IOErrorEnum, IOErrorEnum.IS_DIRECTORY, EISDIR);
        await checkError(() => Gaio[`open${form}`](path, 'q'),
            IOErrorEnum, IOErrorEnum.INVALID_ARGUMENT, EINVAL);

        const full = Gaio.open_sync('/dev/full', 'w');
        await checkError(() => full[`write_bytes${form}`](0, new Uint8Array(10)),
            IOErrorEnum, IOErrorEnum.NO_SPACE, ENOSPC);

        const file = Gaio.open_sync(path, 'r');
        await checkError(() => file[`read_bytes${form}`](-1, 10),
            IOErrorEnum, IOErrorEnum.INVALID_ARGUMENT, EINVAL);
        await checkError(() => file[`write_bytes${form}`](0, new Uint8Array(10)),
            Gaio.Error, Gaio.Error.BAD_FD, EBADF);
        file.close_sync();
        await checkError(() => file[`read_bytes${form}`](0, 10),
            IOErrorEnum, IOErrorEnum.CLOSED, EBADF);
    }
});

test('permission', async dir => {
    const path = `${dir}/forbidden`;
    GLib.file_set_contents(path, 'x');
    Gio.File.new_for_path(path).set_attribute_uint32('unix::mode', 0, 0, null);
    if (GLib.spawn_command_line_sync('id -u')[1][0] === 48)
        skip('root may open everything');
    await checkError(() => Gaio.open(path, 'r'),
        Gio.IOErrorEnum, Gio.IOErrorEnum.PERMISSION_DENIED, EACCES);
});

test('cancelled before the start', async dir => {
    const cancellable = new Gio.Cancellable();
    cancellable.cancel();
    await checkError(() => Gaio.open(`${dir}/untouched`, 'w', cancellable),
        Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, ECANCELED);
    equal(GLib.file_test(`${dir}/untouched`, GLib.FileTest.EXISTS), false);
});

test('the blocking forms', async dir => {
    const file = Gaio.open_sync(withData(dir));
    equal(file.query_info_sync('standard::size').get_size(), DATA.length);
    equal(file.query_info_sync().get_size(), DATA.length);
    equalBytes(file.read_bytes_sync(8, 8), DATA.subarray(8, 16));
    const cancellable = new Gio.Cancellable();
    equalBytes(file.read_bytes_sync(8, 8, cancellable), DATA.subarray(8, 16));
    cancellable.cancel();
    await checkError(() => file.read_bytes_sync(8, 8, cancellable),
        Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, ECANCELED);
    await checkError(() => file.query_info_sync(cancellable),
        Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, ECANCELED);
    const error = await thrown(() => file.read_bytes_sync(8));
    assert(error instanceof TypeError, `${error} is a TypeError`);
    equal(file.close_sync(), true);
});

test('cancelled in flight', async dir => {
    const [file, writer] = makePipe(dir);
    const cancellable = new Gio.Cancellable();
    const read = file.read_bytes(0, 10, cancellable);
    await sleep(20);
    cancellable.cancel();
    // A read in a thread cannot be stopped: it ends as it ends.
    await sleep(20);
    writer.write('x', null);
    try {
        equal((await read).get_size(), 1);
        equal(file.get_context().get_engine(), Gaio.Engine.THREADS, 'the engine that cannot stop');
    } catch (error) {
        assert(error.matches?.(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED), `${error}`);
        equal(error.errno, ECANCELED);
    }
    await file.close();
    writer.close(null);
});

test('raw callbacks', async dir => {
    const file = Gaio.open_sync(withData(dir), 'r');
    const bytes = await new Promise((resolve, reject) => {
        file.read_bytes_async(0, 10, GLib.PRIORITY_DEFAULT, null, (source, result) => {
            try {
                resolve(source.read_bytes_finish(result));
            } catch (error) {
                reject(error);
            }
        });
    });
    equalBytes(bytes, DATA.subarray(0, 10));
    file.close_sync();
});

test('an exception in a callback does not stop the loop', async dir => {
    const file = Gaio.open_sync(withData(dir), 'r');
    const read = file.read_bytes(0, 10);
    const failure = await thrown(() => read.then(() => {
        throw new Error('mine');
    }));
    equal(failure.message, 'mine');
    equalBytes(await file.read_bytes(0, 4), DATA.subarray(0, 4));
    file.close_sync();
});

test('files are collected', async dir => {
    const path = withData(dir);
    const count = () => {
        let fds = 0;
        const children = Gio.File.new_for_path('/proc/self/fd').enumerate_children(
            'standard::name', 0, null);
        while (children.next_file(null))
            fds++;
        children.close(null);
        return fds;
    };
    async function openMany() {
        const files = await Promise.all(Array.from({length: 50}, () => Gaio.open(path, 'r')));
        await Promise.all(files.map(file => file.read_bytes(0, 10)));
        assert(count() >= files.length, 'the files are open');
    }
    async function settle() {
        for (let i = 0; i < 5; i++) {
            await sleep(5);
            System.gc();
        }
    }
    await settle();
    const before = count();
    await openMany();
    // A file or two may still be seen by the collector on the stack; a worker may yet have to close
    // others.
    for (let i = 0; i < 400 && count() > before + 5; i++)
        await settle();
    assert(count() <= before + 5, `${count()} descriptors, ${before} before`);
});

test('construction', async () => {
    const context = new Gaio.Context({engine: Gaio.Engine.THREADS});
    equal(context.get_engine(), Gaio.Engine.THREADS);
    assert(context.get_fd() >= 0, 'a descriptor');
    for (const name of ['File', 'Timer', 'BottomHalf', 'IOThread', 'EventNotifier']) {
        const error = await thrown(() => new Gaio[name]());
        assert(error instanceof TypeError, `${error} is a TypeError`);
    }
});

test('JavaScript never goes to another thread', async () => {
    const pool = Gaio.ThreadPool.get_default();
    for (const name of ['run', 'run_async']) {
        const error = await thrown(() => pool[name](() => 1));
        assert(error instanceof TypeError, `${error} is a TypeError`);
        assert(error.message.includes('another thread'), error.message);
    }

    const thread = Gaio.IOThread.new('gjs-test');
    const context = thread.get_context();
    const nothing = () => {};
    for (const call of [
        () => context.invoke(nothing),
        () => context.set_fd_handler(0, GLib.IOCondition.IN, nothing),
        () => context.set_fd_can_read(0, nothing),
        () => context.set_fd_poll(0, nothing),
        () => context.add_child_watch(1, nothing),
        () => context.add_signal(10, nothing),
        () => context.invoke_and_wait(Gaio.Context.get_default(), nothing),
        () => thread.context.invoke(nothing),
        () => Gaio.BottomHalf.new(context, nothing),
        () => Gaio.Timer.new(context, Gaio.Clock.MONOTONIC, nothing),
    ]) {
        const error = await thrown(call);
        assert(error instanceof TypeError, `${error} is a TypeError`);
    }
    thread.stop();
});

test('a file on a thread of its own still answers here', async dir => {
    const thread = Gaio.IOThread.new('gjs-file');
    const file = Gaio.File.new_for_path(thread.get_context(), withData(dir), 'r');
    const reads = [];
    for (let i = 0; i < 200; i++)
        reads.push(file.read_bytes(i * 10, 10));
    for (const [i, bytes] of (await Promise.all(reads)).entries())
        equalBytes(bytes, DATA.subarray(i * 10, i * 10 + 10));
    await file.close();
    thread.stop();
});

test('exit with operations in flight', async dir => {
    const program = `${dir}/exit.js`;
    GLib.file_set_contents(program, `
        const {Gaio} = imports.gi;
        const pipe = Gaio.open_sync(ARGV[0], 'r+');
        pipe.read_bytes(0, 10).then(() => print('read'));
        const file = Gaio.open_sync(ARGV[1], 'r');
        for (let i = 0; i < 200; i++)
            file.read_bytes(i, 10).then(() => 1);
        print('end');
        if (ARGV[2])
            imports.system.exit(3);
    `);
    const fifo = `${dir}/fifo-for-exit`;
    GLib.spawn_command_line_sync(`mkfifo ${fifo}`);
    for (const [word, expected] of [['', 0], ['exit', 3]]) {
        const process = Gio.Subprocess.new(
            ['gjs', program, fifo, withData(dir), ...word ? [word] : []],
            Gio.SubprocessFlags.STDOUT_PIPE | Gio.SubprocessFlags.STDERR_PIPE);
        const [, stdout, stderr] = process.communicate_utf8(null, null);
        equal(process.get_if_exited() && process.get_exit_status(), expected, 'exit status');
        equal(stdout, 'end\n');
        equal(stderr, '');
    }
});

test('callbacks of this thread\'s context', async () => {
    const context = Gaio.Context.ref_thread_default();
    const order = [];
    await new Promise(resolve => {
        const first = Gaio.BottomHalf.new(context, () => order.push('bottom half'));
        first.schedule();
        context.invoke(() => order.push('invoke'));
        const timer = Gaio.Timer.new(context, Gaio.Clock.MONOTONIC, () => {
            order.push('timer');
            first.destroy();
            resolve();
        });
        timer.arm_ns(Gaio.clock_get_ns(Gaio.Clock.MONOTONIC) + 1000 * 1000);
    });
    equal(order.join(), 'bottom half,invoke,timer');
    System.gc();
});

run();
