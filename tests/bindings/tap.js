// SPDX-FileCopyrightText: the gaio authors
// SPDX-License-Identifier: LGPL-2.1-or-later

// A small harness: tests are async functions, reported in TAP one after the other.

import GLib from 'gi://GLib';
import Gio from 'gi://Gio';
import System from 'system';

const tests = [];

export class Skip extends Error {}

export function test(name, func) {
    tests.push([name, func]);
}

export function skip(reason) {
    throw new Skip(reason);
}

function show(value) {
    return typeof value === 'string' ? JSON.stringify(value) : `${value}`;
}

export function assert(condition, what = 'a condition') {
    if (!condition)
        throw new Error(`${what} does not hold`);
}

export function equal(got, expected, what = 'value') {
    if (got !== expected)
        throw new Error(`${what}: got ${show(got)}, expected ${show(expected)}`);
}

export function equalBytes(got, expected, what = 'bytes') {
    const bytes = got instanceof GLib.Bytes ? got.toArray() : got;
    equal(bytes.length, expected.length, `length of ${what}`);
    for (let i = 0; i < expected.length; i++) {
        if (bytes[i] !== expected[i])
            throw new Error(`${what}: byte ${i} is ${bytes[i]}, expected ${expected[i]}`);
    }
}

// What `func`, which may be async, throws.
export async function thrown(func) {
    try {
        await func();
    } catch (error) {
        return error;
    }
    throw new Error('nothing was thrown');
}

export function sleep(ms) {
    return new Promise(resolve => {
        GLib.timeout_add(GLib.PRIORITY_DEFAULT, ms, () => {
            resolve();
            return GLib.SOURCE_REMOVE;
        });
    });
}

function remove(file) {
    if (file.query_file_type(Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS, null) ===
        Gio.FileType.DIRECTORY) {
        const children = file.enumerate_children('standard::name', 0, null);
        let info;
        while ((info = children.next_file(null)))
            remove(file.get_child(info.get_name()));
    }
    file.delete(null);
}

// Runs all tests, each given a scratch directory; ends the program.
export function run() {
    const loop = new GLib.MainLoop(null, false);
    const dir = GLib.dir_make_tmp('gaio-bindings-XXXXXX');
    let failed = 0;

    async function runAll() {
        let number = 0;
        print('TAP version 13');
        print(`1..${tests.length}`);
        for (const [name, func] of tests) {
            number++;
            try {
                await func(dir);
                print(`ok ${number} ${name}`);
            } catch (error) {
                if (error instanceof Skip) {
                    print(`ok ${number} ${name} # SKIP ${error.message}`);
                    continue;
                }
                failed++;
                print(`not ok ${number} ${name}`);
                print(`# ${error}\n${error.stack ?? ''}`.trim().replaceAll('\n', '\n# '));
            }
        }
    }

    runAll().finally(() => loop.quit());
    loop.run();
    remove(Gio.File.new_for_path(dir));
    System.exit(failed ? 1 : 0);
}
