// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// What makes Gaio feel like JavaScript.
//
// Every pair of the library X_async / X_finish gets a function X that starts the operation at once
// and returns a promise. The blocking form of the library is X_sync; X_async and X_finish stay what
// they are. Results are what the library returns, with GLib.Bytes for data. Errors are GLib.Error,
// as everywhere in GJS, with the number of the system's error as `errno`.
//
// X takes the arguments of the blocking form, the Gio.Cancellable last. Gio._promisify would do the
// same, but it takes a stack trace for each call, which costs several times what the call does.
//
// JavaScript can neither run nor be freed in a thread other than its own. So the functions that
// would carry it into one throw a TypeError here.

/* exported _init */

function _init() {
    const {Gio, GLib, GObject} = imports.gi;
    const System = imports.system;
    const Gaio = this;
    const PRIORITY = GLib.PRIORITY_DEFAULT;
    const encoder = new TextEncoder();

    // Arguments that may be left out, by the name of the function and their place; that of a method
    // begins with a dot where a function has the same.
    const defaults = {
        checksum: [undefined, undefined, null],
        copy: [undefined, undefined, 0, null],
        enumerate: [undefined, null, 0],
        make_directory: [undefined, false, 0o777],
        move: [undefined, undefined, 0, null],
        open: [undefined, 'r'],
        open_full: [undefined, undefined, 0o666],
        open_gfile: [undefined, undefined, 0o666],
        save_bytes: [undefined, undefined, 0],
        sync: [false],
        query_info: [undefined, null, 0],
        '.query_info': [null],
        remove: [undefined, 0, null],
        scan_directory: [undefined, 0],
        allocate: [undefined, undefined, false],
        advise: [undefined, 0, 0],
        lock: [undefined, 0, 0],
        try_lock: [undefined, 0, 0],
        unlock: [0, 0],
    };

    // Where a function takes a GBytes, or an array of them.
    const bytesAt = {
        append_bytes: 0, checksum: 1, convert: 1, save_bytes: 1, write: 1, write_bytes: 1,
        writev_bytes: 1,
    };

    function toBytes(data) {
        if (typeof data === 'string')
            return encoder.encode(data);
        if (data instanceof ArrayBuffer)
            return new Uint8Array(data);
        // Of numbers of more than a byte GJS would take the lowest byte of each.
        if (ArrayBuffer.isView(data) && !(data instanceof Uint8Array))
            return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        return data;
    }

    // A path may be given as a Gio.File.
    function toPath(file) {
        const path = file.get_path();
        if (path === null) {
            throw withErrno(new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_SUPPORTED,
                `“${file.get_uri()}”: not a local file`));
        }
        return path;
    }

    function convertPaths(name, args) {
        if (name.endsWith('_gfile'))
            return;
        for (let i = 0; i < args.length; i++) {
            if (args[i] instanceof GObject.Object && args[i] instanceof Gio.File)
                args[i] = toPath(args[i]);
            else if (typeof args[i] === 'string' && args[i].includes('\0'))
                throw new TypeError('Gaio: a null character in a path'); // GJS cuts it off there
        }
    }

    // The operations of a batch: one length may stand for all, and what is written comes in pairs.
    function toBatch(name, args) {
        if (name === 'read_batch') {
            args[0] = Array.from(args[0]);
            args[1] = typeof args[1] === 'number' ? [args[1]] : Array.from(args[1]);
        } else {
            const pairs = Array.from(args[0]);
            args[0] = pairs.map(([offset]) => offset);
            args[1] = pairs.map(([, data]) => toBytes(data));
        }
    }

    function withErrno(error) {
        if (error instanceof GLib.Error)
            error.errno = Gaio.error_get_errno(error);
        return error;
    }

    function throwing(name, original) {
        return function (...args) {
            try {
                convertPaths(name, args);
                return original.apply(this, args);
            } catch (error) {
                throw withErrno(error);
            }
        };
    }

    // Makes args the `count` arguments of X, and returns the cancellable, which may follow also
    // when arguments with a default are left out.
    function complete(name, count, args, isMethod) {
        const preset = (isMethod ? defaults[`.${name}`] : null) ?? defaults[name];
        const given = args.length;
        const last = args[given - 1];
        let cancellable = null;

        if (name === 'write_batch')
            count--; // they come in pairs

        if (given > count || (typeof last === 'object' && last instanceof Gio.Cancellable))
            cancellable = args.pop() ?? null;
        while (args.length < count && preset?.[args.length] !== undefined)
            args.push(preset[args.length]);
        if (args.length !== count) {
            throw new TypeError(
                `Gaio: ${name}() takes ${count} arguments and a cancellable, ${given} were given`);
        }
        const place = bytesAt[name];
        if (place !== undefined)
            args[place] = Array.isArray(args[place])
                ? args[place].map(toBytes) : toBytes(args[place]);
        if (name === 'write' && args[1] instanceof GLib.Bytes)
            args[1] = args[1].toArray();
        convertPaths(name, args);
        if (name === 'read_batch' || name === 'write_batch')
            toBatch(name, args);
        return cancellable;
    }

    // While SpiderMonkey sweeps in slices, GJS drops every callback that comes between two of them,
    // for good: an operation would end and its promise never settle. SpiderMonkey begins to do so
    // when some 30 MB are garbage. A collection in one piece before that keeps it from it, and
    // pays for itself: what GJS keeps for each object until then makes the next operation slower.
    const OPERATIONS_PER_COLLECTION = 2048;
    let started = 0;

    function promise(self, start, finish, args) {
        if (++started % OPERATIONS_PER_COLLECTION === 0)
            System.gc();
        return new Promise((resolve, reject) => {
            start.call(self, ...args, (source, result) => {
                try {
                    resolve(finish.call(source, result));
                } catch (error) {
                    reject(withErrno(error));
                }
            });
        });
    }

    function makePromising(name, start, finish, isMethod) {
        // The arguments of X_async but for priority, cancellable and callback.
        const count = start.length - 3;

        return function (...args) {
            const cancellable = complete(name, count, args, isMethod);
            return promise(this, start, finish, [...args, PRIORITY, cancellable]);
        };
    }

    function makeSync(name, blocking, isMethod) {
        const count = blocking.length - 1;

        return function (...args) {
            const cancellable = complete(name, count, args, isMethod);
            try {
                return blocking.call(this, ...args, cancellable);
            } catch (error) {
                throw withErrno(error);
            }
        };
    }

    function adapt(target, isMethod) {
        const names = Object.getOwnPropertyNames(target);
        for (const key of names.filter(other => other.endsWith('_async'))) {
            const name = key.slice(0, -'_async'.length);
            const finish = target[`${name}_finish`];
            const blocking = target[name];
            if (typeof finish !== 'function')
                continue;
            target[name] = makePromising(name, target[key], finish, isMethod);
            if (typeof blocking === 'function')
                target[`${name}_sync`] = makeSync(name, blocking, isMethod);
        }
    }

    adapt(Gaio, false);
    for (const name of Object.getOwnPropertyNames(Gaio)) {
        const prototype = Gaio[name]?.prototype;
        if (prototype instanceof GObject.Object)
            adapt(prototype, true);
    }
    for (const name of ['new_for_fd', 'new_for_path'])
        Gaio.File[name] = throwing(name, Gaio.File[name]);

    // Construction: an object that only a function of the library can make must not come into
    // being half.

    for (const name of ['Batch', 'BottomHalf', 'Enumerator', 'EventNotifier', 'File', 'IOThread',
        'MainLoop', 'Timer']) {
        Gaio[name].prototype._init = function () {
            throw new TypeError(`Gaio: make a Gaio.${name} with one of its functions`);
        };
    }

    Gaio.Context.prototype._init = function (properties = {}) {
        GObject.Object.prototype._init.call(this, properties);
        try {
            this.init(null);
        } catch (error) {
            throw withErrno(error);
        }
    };

    // Files

    // From `offset` to the end in pieces of `size` bytes, the last one shorter. While one piece is
    // being used the next `ahead` are being read. A file without positions, such as a pipe, is read
    // piece by piece, and each is as long as what was there.
    Gaio.File.prototype.chunks = async function* (size = 256 * 1024, {offset = 0, ahead = 4} = {}) {
        if (!(size > 0 && ahead > 0))
            throw new RangeError('Gaio: size and ahead must be positive');
        if (!this.is_seekable()) {
            for (;;) {
                const bytes = await this.read_bytes(0, size);
                if (bytes.get_size() === 0)
                    return;
                yield bytes;
            }
        }

        const reads = [];
        const cancellable = new Gio.Cancellable();
        try {
            for (;;) {
                while (reads.length < ahead) {
                    const read = this.read_bytes(offset, size, cancellable);
                    // Its error is for the one who reaches it; nobody may.
                    read.catch(() => {});
                    reads.push(read);
                    offset += size;
                }
                const bytes = await reads.shift();
                const length = bytes.get_size();
                if (length > 0)
                    yield bytes;
                if (length < size)
                    return;
            }
        } finally {
            cancellable.cancel();
        }
    };

    Gaio.File.prototype[Symbol.asyncIterator] = function () {
        return this.chunks();
    };

    // Directories

    const FILES_PER_BATCH = 256;

    // The files one by one; while those of one batch are being used the next is read.
    Gaio.Enumerator.prototype[Symbol.asyncIterator] = async function* () {
        const cancellable = new Gio.Cancellable();
        let batch = this.next_files(FILES_PER_BATCH);
        try {
            for (;;) {
                const files = await batch;
                if (files.length === 0)
                    break;
                batch = this.next_files(FILES_PER_BATCH, cancellable);
                // Its error is for the one who reaches it; nobody may.
                batch.catch(() => {});
                yield* files;
            }
        } finally {
            cancellable.cancel();
            await batch.catch(() => {});
        }
        await this.close();
    };

    Gaio.Enumerator.prototype[Symbol.iterator] = function* () {
        for (;;) {
            const files = this.next_files_sync(FILES_PER_BATCH);
            if (files.length === 0)
                break;
            yield* files;
        }
        this.close_sync();
    };

    // Streams and buffers

    for (const name of ['FileInputStream', 'FileOutputStream', 'FileIOStream']) {
        const {prototype} = Gaio[name];
        const init = prototype._init;
        prototype._init = function (properties = {}) {
            if (!properties.file)
                throw new TypeError(`Gaio: a Gaio.${name} needs a file`);
            init.call(this, properties);
        };
    }

    // The streams are Gio's: every method has the meaning that it has there. Their X_async can do
    // without a callback, and then return a promise; the priority and the cancellable may be left
    // out. So many arguments come before these.
    const streamMethods = {
        close: 0, flush: 0, query_info: 1, read_bytes: 1, skip: 1, splice: 2, write_bytes: 1,
    };

    function makeAwaitable(prototype, name, count) {
        const start = prototype[`${name}_async`];
        const finish = prototype[`${name}_finish`];

        prototype[`${name}_async`] = function (...args) {
            if (name === 'write_bytes')
                args[0] = toBytes(args[0]);
            if (args.length > count + 2)
                return start.apply(this, args);
            if (args.length < count)
                throw new TypeError(`Gaio: ${name}_async() takes ${count} arguments at least`);
            const [priority = PRIORITY, cancellable = null] = args.splice(count);
            return promise(this, start, finish, [...args, priority, cancellable]);
        };
    }

    for (const type of [Gaio.FileInputStream, Gaio.FileOutputStream, Gaio.FileIOStream]) {
        for (const [name, count] of Object.entries(streamMethods)) {
            if (`${name}_async` in type.prototype &&
                !(name === 'splice' && type === Gaio.FileIOStream))
                makeAwaitable(type.prototype, name, count);
        }
    }

    const copyBytes = Gaio.BufferPool.prototype.copy_bytes;
    Gaio.BufferPool.prototype.copy_bytes = function (data) {
        return copyBytes.call(this, toBytes(data));
    };

    // Batches: a sequence with one item for each operation. The library has all results in three
    // arrays, which are fetched once, when first needed.

    const results = new WeakMap();

    function resultsOf(batch) {
        let found = results.get(batch);
        if (found === undefined) {
            found = {
                counts: batch.get_counts(),
                starts: batch.get_starts(),
                data: batch.is_read() ? batch.get_data().toArray() : null,
            };
            results.set(batch, found);
        }
        return found;
    }

    Object.defineProperty(Gaio.Batch.prototype, 'length', {
        get() {
            return this.get_n_operations();
        },
    });

    // What an operation has read, as a view of the memory of all, or how many bytes it has written.
    Gaio.Batch.prototype.at = function (index) {
        const {counts, starts, data} = resultsOf(this);
        if (index < 0)
            index += counts.length;
        const count = counts[index];
        if (count === undefined)
            return undefined;
        if (count < 0)
            throw withErrno(this.get_error(index));
        return data === null ? count : data.subarray(starts[index], starts[index] + count);
    };

    Gaio.Batch.prototype[Symbol.iterator] = function* () {
        const {length} = resultsOf(this).counts;
        for (let i = 0; i < length; i++)
            yield this.at(i);
    };

    Gaio.Batch.prototype.check = throwing('check', Gaio.Batch.prototype.check);

    // Threads

    function refuse(name) {
        return function () {
            throw new TypeError(
                `Gaio: ${name}() would run JavaScript in another thread, which cannot be done`);
        };
    }

    for (const name of ['run', 'run_sync', 'run_async'])
        Gaio.ThreadPool.prototype[name] = refuse(`ThreadPool.${name}`);

    // What another thread's context calls back must not be JavaScript.
    function guard(target, name, where, contextOf = null) {
        const original = target[name];
        target[name] = function (...args) {
            const context = contextOf !== null ? contextOf(this, args) : null;
            if (context instanceof Gaio.Context && context.is_run_elsewhere())
                refuse(where)();
            try {
                return original.apply(this, args);
            } catch (error) {
                throw withErrno(error);
            }
        };
    }

    for (const name of ['add_child_watch', 'add_signal', 'invoke', 'invoke_and_wait',
        'set_event_notifier', 'set_fd_can_read', 'set_fd_handler', 'set_fd_poll'])
        guard(Gaio.Context.prototype, name, `Context.${name}`, self => self);
    for (const name of ['drive', 'set_fd_group', 'wait_while'])
        guard(Gaio.Context.prototype, name, `Context.${name}`); // for the errno
    for (const name of ['add_lock_hook', 'add_poll_notifier'])
        guard(Gaio.MainLoop.prototype, name, `MainLoop.${name}`, self => self.get_context());
    guard(Gaio.BottomHalf, 'new', 'BottomHalf.new', (_self, args) => args[0]);
    guard(Gaio.Timer, 'new', 'Timer.new', (_self, args) => args[0]);
}
