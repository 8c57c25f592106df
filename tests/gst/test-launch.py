#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The elements from the command line, as TAP: what gst-launch-1.0 and gst-inspect-1.0 show of them,
exit codes included, and what is in the file when the program is interrupted or killed.

    test-launch.py RECORD-SCRIPT

The environment says where the plugin is. The registry is a file of the test's own, so that neither
the user's cache nor an installed plugin of the same name matters.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LAUNCH = ["gst-launch-1.0"]
INSPECT = ["gst-inspect-1.0"]
RECORD = sys.argv[1]


class Skip(Exception):
    """Raised with the reason."""


def run(command, **options):
    """The finished command: its exit code, and all it said."""
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def launch(*pipeline, **options):
    """gst-launch-1.0 with all messages."""
    return run(LAUNCH + ["-m"] + " ".join(str(part) for part in pipeline).split(), **options)


def succeed(*pipeline, **options):
    """The output of a pipeline that runs to its end."""
    done = launch(*pipeline, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


def stats(output):
    """The statistics that the sink posted, as numbers and strings."""
    lines = [line for line in output.splitlines() if "gaiofilesink-stats" in line]
    assert len(lines) == 1, output
    found = {}
    for name, kind, value in re.findall(r'([a-z-]+)=\((\w+)\)("(?:[^"\\]|\\.)*"|[^,;]*)', lines[0]):
        found[name] = int(value) if kind == "guint64" else value.strip('"').replace("\\", "")
    return found


def need(*elements):
    """Skips the test when GStreamer has no such element here."""
    for element in elements:
        if run(INSPECT + ["--exists", element]).returncode != 0:
            raise Skip(f"there is no element {element}")


def pattern(size):
    """What fakesrc filltype=pattern-span makes."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def test_inspect(_):
    """gst-inspect-1.0 finds nothing to complain about"""
    done = run(INSPECT + ["gaiofilesink"], env=dict(os.environ, G_DEBUG="fatal-warnings"))
    assert done.returncode == 0, done.stdout
    assert "CRITICAL" not in done.stdout and "WARNING" not in done.stdout, done.stdout
    for line in (r"License +LGPL", r"Rank +none \(0\)", r"Klass +Sink/File", r"GstURIHandler"):
        assert re.search(line, done.stdout), line
    for name in ("append", "buffer-mode", "buffer-size", "chunk-size", "context", "direct",
                 "drain-timeout", "drop-cache", "file-mode", "flush-interval", "hold", "io-stats",
                 "level-bytes", "location", "max-bytes", "max-in-flight", "max-time",
                 "max-transient-error-timeout", "o-sync", "overflow", "preallocate",
                 "stall-warning", "sync-after", "sync-interval", "sync-mode"):
        assert re.search(rf"^  {name} *: \S", done.stdout, re.MULTILINE), name


def test_source(tmp):
    """a file read by gaiofilesrc is the file, and gst-inspect-1.0 is content with it"""
    done = run(INSPECT + ["gaiofilesrc"], env=dict(os.environ, G_DEBUG="fatal-warnings"))
    assert done.returncode == 0, done.stdout
    assert "CRITICAL" not in done.stdout and "WARNING" not in done.stdout, done.stdout
    for line in (r"Rank +none \(0\)", r"Klass +Source/File", r"GstURIHandler"):
        assert re.search(line, done.stdout), line
    for name in ("location", "blocksize", "read-ahead", "read-size", "io-stats"):
        assert re.search(rf"^  {name} +: \S", done.stdout, re.MULTILINE), name
    source, out = tmp / "source", tmp / "copy"
    source.write_bytes(os.urandom(5_000_000))
    for blocksize in (1000, 65536):
        said = succeed("gaiofilesrc", f"location={source}", f"blocksize={blocksize}",
                       "! filesink", f"location={out}")
        assert out.read_bytes() == source.read_bytes()
        assert said.count("gaiofilesrc-stats") == 1, said
    done = launch("gaiofilesrc", f"location={tmp}/absent", "! fakesink")
    assert done.returncode != 0 and "No such file" in done.stdout, done.stdout


def test_copy(tmp):
    """a copy of a file is the file"""
    source = tmp / "source"
    source.write_bytes(os.urandom(5_000_000))
    for blocksize in (1000, 4096, 65536, 1_000_000):
        out = tmp / "copy"
        said = stats(succeed("filesrc", f"location={source}", f"blocksize={blocksize}",
                             "! gaiofilesink", f"location={out}"))
        assert out.read_bytes() == source.read_bytes()
        assert said["bytes-written"] == said["bytes-accepted"] == 5_000_000, said
        assert 0 < said["level-peak"] <= 5_000_000, said
        if os.environ.get("GAIO_ENGINE") == "threads":
            assert said["engine"] == "threads", said


def test_record(tmp):
    """the example's recording has all its frames and its sound"""
    need("x264enc", "h264parse", "opusenc", "mp4mux", "qtdemux", "avdec_h264")
    out = tmp / "out.mp4"
    done = run([RECORD, out])
    assert done.returncode == 0, done.stdout
    said = launch("filesrc", f"location={out}", "! qtdemux ! h264parse ! avdec_h264",
                  "! fakesink num-buffers=-1 silent=false sync=false name=frames -v")
    assert said.returncode == 0, said.stdout
    frames = len(re.findall(r"last-message = .*chain ", said.stdout))
    assert frames == 300, frames


def unstamped(data):
    """The bytes of a file without what a muxer draws by lot or reads from the clock."""
    data = bytearray(data)

    def wipe(mark, size, skip=0):
        for found in re.finditer(re.escape(mark), bytes(data)):
            start = found.end() + skip
            data[start:start + size] = bytes(len(data[start:start + size]))

    if data[4:8] == b"ftyp":
        for box in (b"mvhd", b"tkhd", b"mdhd"):  # two times of 4 bytes behind the version
            wipe(box, 8, 4)
    elif data[:4] == b"\x1aE\xdf\xa3":
        wipe(b"\x73\xa4\x90", 16)  # SegmentUID
        wipe(b"\x73\xc5\x88", 8)  # TrackUID
        wipe(b"\x63\xc5\x88", 8)  # TagTrackUID
        wipe(b"\x44\x61\x88", 8)  # DateUTC
    elif data[:4] == b"OggS":
        wipe(b"OggS", 12, 10)  # serial number, sequence number, checksum
    elif data[:3] == b"FLV":
        wipe(b"creationdate", 24, 3)
    return bytes(data)


def drew_short(data):
    """Whether a Matroska track's number, which is drawn by lot, begins with a byte of 0: that is
    left out, and so the file is shorter."""
    head = data[:data.find(b"\x1f\x43\xb6\x75")]  # as far as the first cluster
    return data[:4] == b"\x1aE\xdf\xa3" and re.search(b"\x73\xc5[\x81-\x87]", head)


def record(pipeline, sink, out):
    """Records with this sink, and once more if the muxer drew a short number."""
    while True:
        succeed(pipeline, f"! {sink} location={out}")
        data = out.read_bytes()
        if not drew_short(data):
            return unstamped(data)


VIDEO = ("videotestsrc num-buffers=30 ! "
         "video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! {} ! queue ! m.")
AUDIO = ("audiotestsrc num-buffers=60 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 "
         "! {} ! queue ! m.")
H264 = VIDEO.format("x264enc threads=1 speed-preset=ultrafast ! h264parse")
VP8 = VIDEO.format("vp8enc deadline=1000000 cpu-used=5 threads=1")  # the same on a busy machine
OPUS = AUDIO.format("opusenc")
AAC = AUDIO.format("voaacenc ! aacparse")

# What people type, with the word left out that this is about, and the elements it needs.
RECORDINGS = {
    "mp4": (f"{H264} {OPUS} mp4mux name=m", "x264enc opusenc mp4mux"),
    "faststart": (f"{H264} {OPUS} mp4mux faststart=true name=m", "x264enc opusenc mp4mux"),
    "fragmented": (f"{H264} {OPUS} mp4mux fragment-duration=200 name=m", "x264enc opusenc mp4mux"),
    "robust": (f"{H264} {AAC} mp4mux reserved-max-duration=5000000000 name=m "
               "reserved-moov-update-period=200000000", "x264enc voaacenc mp4mux"),
    "mov": (f"{H264} {AAC} qtmux name=m", "x264enc voaacenc qtmux"),
    "matroska": (f"{H264} {OPUS} matroskamux name=m", "x264enc opusenc matroskamux"),
    "webm": (f"{VP8} {OPUS} webmmux name=m", "vp8enc opusenc webmmux"),
    "avi": (VIDEO.format("jpegenc") + " " + AUDIO.format("identity") + " avimux name=m",
            "jpegenc avimux"),
    "flv": (f"{H264} {AAC} flvmux name=m", "x264enc voaacenc flvmux"),
    "ogg": (VIDEO.format("theoraenc") + f" {OPUS} oggmux name=m", "theoraenc opusenc oggmux"),
    "ts": (f"{H264} {AAC} mpegtsmux name=m", "x264enc voaacenc mpegtsmux"),
    "wav": (AUDIO.format("identity").replace("queue ! m.", "wavenc"), "wavenc"),
    "flac": (AUDIO.format("flacenc").replace(" ! queue ! m.", ""), "flacenc"),
    "y4m": (VIDEO.format("y4menc").replace(" ! queue ! m.", ""), "y4menc"),
    "raw": (VIDEO.format("identity").replace(" ! queue ! m.", ""), ""),
}


def test_one_word(tmp):
    """recordings of every kind are what filesink writes, with one word replaced"""
    missing = []
    for kind, (pipeline, elements) in RECORDINGS.items():
        try:
            need(*elements.split())
        except Skip as reason:
            missing.append(f"{kind}: {reason}")
            continue
        one, other = (record(pipeline, sink, tmp / f"{kind}-{sink}")
                      for sink in ("filesink", "gaiofilesink"))
        assert len(one) > 10_000, (kind, len(one))
        assert one == other, (kind, len(one), len(other), next(
            (at for at, pair in enumerate(zip(one, other)) if pair[0] != pair[1]), None))
    if missing:
        raise Skip("; ".join(missing))


def test_rank(tmp):
    """file:// is filesink's, and with GST_PLUGIN_FEATURE_RANK ours"""
    for rank, expected in (("", "filesink"), ("gaiofilesink:300", "gaiofilesink")):
        out = tmp / expected
        said = launch("fakesrc num-buffers=9 sizetype=fixed sizemax=999 filltype=pattern-span",
                      f"! file://{out}", env=dict(os.environ, GST_PLUGIN_FEATURE_RANK=rank))
        assert said.returncode == 0, said.stdout
        assert f'"{expected}0"' in said.stdout, said.stdout
        assert out.read_bytes() == pattern(9 * 999)


def test_standard_output(_):
    """standard output, when it is a pipe"""
    done = subprocess.run(
        LAUNCH + "-q fakesrc num-buffers=100 sizetype=fixed sizemax=30000 filltype=pattern-span "
                 "! gaiofilesink location=/dev/stdout".split(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    assert done.stdout == pattern(3_000_000)


def test_missing_directory(tmp):
    """a directory that is not there: exit code and message"""
    done = launch("fakesrc num-buffers=1 ! gaiofilesink", f"location={tmp}/missing/out")
    assert done.returncode > 0, done.stdout
    assert "Could not open file" in done.stdout, done.stdout
    assert "No such file or directory" in done.stdout, done.stdout


def test_no_location(_):
    """no location at all"""
    done = launch("fakesrc num-buffers=1 ! gaiofilesink")
    assert done.returncode > 0, done.stdout
    assert "No file name specified for writing." in done.stdout, done.stdout


def test_disk_full(_):
    """a full disk, at the end and in the middle"""
    for buffers in (1, 100_000):
        done = launch(f"fakesrc num-buffers={buffers} sizetype=fixed sizemax=5000",
                      "! gaiofilesink location=/dev/full")
        assert done.returncode == 1, done.stdout
        assert "No space left on the resource" in done.stdout, done.stdout
        assert "ENOSPC" in done.stdout, done.stdout
        assert "Got EOS" not in done.stdout, done.stdout


def callers(sink, out):
    """The threads that make system calls on the file of a pipeline that goes back in it."""
    done = run(["strace", "-f", "-y", "-Y", "-qq", "-e", "signal=none", "-e", "trace=desc,file"] +
               LAUNCH + ["-q"] + ("audiotestsrc num-buffers=200 ! audio/x-raw,rate=44100 ! wavenc "
                                  f"! {sink} location={out}").split())
    assert done.returncode == 0, done.stdout[-2000:]
    return {re.sub(r"[0-9]*$", "", name) for name in re.findall(
        rf"^\[pid +\d+<([^>]*)>\] (?!execve).*<{out}>", done.stdout, re.MULTILINE)}


def test_no_calls_while_streaming(tmp):
    """the streaming thread makes no system call on the file"""
    need("wavenc")
    if shutil.which("strace") is None:
        raise Skip("there is no strace")
    if run(["strace", "-f", "-Y", "-qq", "-e", "trace=none", "true"]).returncode != 0:
        raise Skip("strace is not allowed here, or too old to tell threads' names")
    # That of filesink does: so it would be seen.
    found = callers("filesink", tmp / "one")
    assert any(name.startswith("audiotestsrc") for name in found), found
    found = callers("gaiofilesink", tmp / "other")
    assert found, "nobody"
    assert all(name == "gst-launch-1." or name.startswith("gaio-") for name in found), found


def start(out, *more):
    """A pipeline without end, when it has written something."""
    process = subprocess.Popen(
        LAUNCH + list(more) +
        "fakesrc sizetype=fixed sizemax=3001 datarate=20000000 do-timestamp=true is-live=true "
        "filltype=pattern-span ! gaiofilesink".split() + [f"location={out}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while process.poll() is None and (not out.exists() or out.stat().st_size < 200_000):
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[0]
    return process


def test_interrupt(tmp):
    """Ctrl-C with -e: an orderly end"""
    out = tmp / "out"
    process = start(out, "-e", "-m")
    process.send_signal(signal.SIGINT)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert out.stat().st_size == stats(said)["bytes-written"]
    assert out.read_bytes() == pattern(out.stat().st_size)


def test_terminate(tmp):
    """Ctrl-C without -e: what was accepted is written all the same"""
    out = tmp / "out"
    process = start(out)
    process.send_signal(signal.SIGINT)
    process.communicate()
    data = out.read_bytes()
    assert len(data) % 3001 == 0, len(data)
    assert data == pattern(len(data))


def test_kill(tmp):
    """kill -9: the file is the beginning of the stream, without holes"""
    for i in range(5):
        out = tmp / f"out-{i}"
        process = start(out)
        process.kill()
        process.communicate()
        data = out.read_bytes()
        assert len(data) >= 200_000
        assert data == pattern(len(data))


TESTS = [test_inspect, test_source, test_copy, test_record, test_one_word, test_rank,
         test_standard_output,
         test_missing_directory, test_no_location, test_disk_full, test_no_calls_while_streaming,
         test_interrupt, test_terminate, test_kill]


def main():
    """Runs all of them, each in a directory of its own."""
    if os.environ.get("GAIO_TEST_SANITIZER", "none") != "none":
        print("1..0 # SKIP programs without a sanitizer cannot load a plugin that has one")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="gaio-launch-") as top:
        os.environ.setdefault("GST_REGISTRY", f"{top}/registry.bin")
        print(f"1..{len(TESTS)}")
        for number, test in enumerate(TESTS, 1):
            name = f"{number} {test.__name__[5:]}: {test.__doc__}"
            tmp = Path(top) / test.__name__
            tmp.mkdir()
            try:
                test(tmp)
                print(f"ok {name}", flush=True)
            except Skip as reason:
                print(f"ok {name} # SKIP {reason}", flush=True)
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"not ok {name}")
                print("# " + repr(error).replace("\\n", "\n# "), flush=True)
            shutil.rmtree(tmp)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
