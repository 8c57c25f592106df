#!/usr/bin/env -S gjs -m
// Compress a file: Gio's converter between two streams of gaio, which read ahead and write behind.
import Gaio from 'gi://Gaio?version=1.0';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

Gio._promisify(Gio.OutputStream.prototype, 'splice_async', 'splice_finish');

const {CLOSE_SOURCE, CLOSE_TARGET} = Gio.OutputStreamSpliceFlags;
const loop = new GLib.MainLoop(null, false);

async function gzip(path) {
    const input = new Gio.ConverterInputStream({
        base_stream: new Gaio.FileInputStream({file: await Gaio.open(path)}),
        converter: new Gio.ZlibCompressor({format: Gio.ZlibCompressorFormat.GZIP}),
    });
    const output = new Gaio.FileOutputStream({file: await Gaio.open(`${path}.gz`, 'wx')});
    return output.splice_async(input, CLOSE_SOURCE | CLOSE_TARGET, GLib.PRIORITY_DEFAULT, null);
}

let status = 0;
gzip(ARGV[0])
    .then(size => print(`${size} ${ARGV[0]}.gz`))
    .catch(error => {
        printerr(`gzip.js: ${error.message}`);
        status = 1;
    })
    .finally(() => loop.quit());
loop.run();
System.exit(status);
