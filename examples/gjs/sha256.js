#!/usr/bin/env -S gjs -m
// Print the SHA-256 of a file, with all its blocks being read at once.
import Gaio from 'gi://Gaio?version=1.0';
import GLib from 'gi://GLib';
import System from 'system';

const BLOCK = 256 * 1024;
const loop = new GLib.MainLoop(null, false);

async function sha256(path) {
    const file = await Gaio.open(path, 'r');
    const size = (await file.query_info('standard::size')).get_size();
    const reads = [];
    for (let offset = 0; offset < size; offset += BLOCK)
        reads.push(file.read_bytes(offset, BLOCK));
    const checksum = GLib.Checksum.new(GLib.ChecksumType.SHA256);
    for (const bytes of await Promise.all(reads))
        checksum.update(bytes.toArray());
    await file.close();
    return checksum.get_string();
}

let status = 0;
sha256(ARGV[0])
    .then(sum => print(`${sum}  ${ARGV[0]}`))
    .catch(error => {
        printerr(`sha256.js: ${error.message}`);
        status = 1;
    })
    .finally(() => loop.quit());
loop.run();
System.exit(status);
