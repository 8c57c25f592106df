# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that misbehave, each for as long as a `with` block lasts.

A disturbance has a directory to write in, and may do something at a moment of its own: begin() is
called when the camera starts. What cannot be had here raises Missing with the reason.

File systems are mounted in a mount namespace of this process, from image files behind loop devices
that detach themselves; the disk they lie on is never slowed down. A frozen file system is thawed by
a process that does nothing else and cannot be interrupted, so it thaws whatever becomes of us.
"""
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

FIFREEZE = 0xC0045877
FITHAW = 0xC0045878
CLONE_NEWNS = 0x20000
MS_PRIVATE_REC = 0x40000 | 0x4000
LOOP_MAJOR = 7
THROTTLE = Path("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device")


class Missing(Exception):
    """What the disturbance needs is not there."""


def settle(directory):
    """Waits until the file system has written what it still has to, so that the next is not late
    for that."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    ctypes.CDLL(None).syncfs(fd)
    os.close(fd)


def _run(*command):
    """Runs a program of the administrator's; Missing if that does not work."""
    env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Missing(f"there is no {command[0]}") from error
    if done.returncode != 0:
        raise Missing(f"{command[0]}: {done.stderr.strip()}")


def own_mounts():
    """From now on what is mounted is this process's own, and its children's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if (libc.unshare(CLONE_NEWNS) != 0 or
            libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_PRIVATE_REC), None) != 0):
        raise Missing(f"may not mount: {os.strerror(ctypes.get_errno())}")


class Quiet:
    """Nothing happens, in a directory of the disk."""

    name = "no disturbance"
    span = None  # after end(): when it began and ended, in seconds after begin()

    def __init__(self, where):
        self.where = where
        self.stack = contextlib.ExitStack()
        self.dir = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.dir = Path(tempfile.mkdtemp(prefix="bench-camera-", dir=self.where))
            stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
            self.setup(stack)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def setup(self, stack):
        """Makes the disk what it is to be; `stack` undoes it."""

    def begin(self):
        """The camera starts."""

    def end(self):
        """The camera has stopped, and the writer is closed."""


class Neighbour(Quiet):
    """Somebody else writes to the same disk all the time."""

    def __init__(self, where, name, script):
        super().__init__(where)
        self.name = name
        self.script = script

    def setup(self, stack):
        # pylint: disable-next=consider-using-with
        process = subprocess.Popen(["sh", "-c", f"while :; do {self.script}; done"],
                                   cwd=self.dir, stderr=subprocess.DEVNULL,
                                   start_new_session=True)

        def stop():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        stack.callback(stop)


def fsync_neighbour(where):
    """64 KiB and a sync, again and again."""
    return Neighbour(where, "a neighbour that syncs all the time",
                     "dd if=/dev/zero of=neighbour bs=64k count=2000 oflag=dsync conv=notrunc")


def direct_neighbour(where):
    """The disk is busy, with no cache in between."""
    return Neighbour(where, "a neighbour with dd oflag=direct",
                     "dd if=/dev/zero of=neighbour bs=1M count=1024 oflag=direct conv=notrunc")


class Loop(Quiet):
    """A file system of its own in an image file."""

    name = "ext4 on a loop device"
    image_bytes = 2 << 30

    def __init__(self, where):
        super().__init__(where)
        self.device = None

    def setup(self, stack):
        image = self.dir / "image"
        with image.open("wb") as file:
            file.truncate(self.image_bytes)
        _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
        mounted = self.dir / "disk"
        mounted.mkdir()
        _run("mount", "-o", "loop", str(image), str(mounted))
        stack.callback(subprocess.run, ["umount", "-l", str(mounted)], check=False)
        number = os.stat(mounted).st_dev
        if os.major(number) != LOOP_MAJOR:
            raise Missing("the file system is not on a loop device")
        self.device = f"{LOOP_MAJOR}:{os.minor(number)}"
        self.dir = mounted


class Freeze(Loop):
    """The file system stands still for a while, as a disk does that has a bad sector."""

    def __init__(self, where, at=2.0, seconds=1.5):
        super().__init__(where)
        self.at = at
        self.seconds = seconds
        self.child = None
        self.times = None
        self.name = f"a file system frozen for {seconds} s"

    def begin(self):
        fd = os.open(self.dir, os.O_RDONLY | os.O_DIRECTORY)
        begun = time.monotonic()
        self.times, told = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            os.setsid()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            status = 1
            try:
                time.sleep(self.at)
                frozen = time.monotonic()
                fcntl.ioctl(fd, FIFREEZE, 0)
                time.sleep(self.seconds)
                fcntl.ioctl(fd, FITHAW, 0)
                os.write(told, f"{frozen - begun} {time.monotonic() - begun}".encode())
                status = 0
            finally:
                os._exit(status)
        os.close(fd)
        os.close(told)

    def end(self):
        if self.child is not None:
            _, status = os.waitpid(self.child, 0)
            times = os.read(self.times, 100)
            os.close(self.times)
            self.child = None
            if status != 0:
                raise Missing("the file system cannot be frozen")
            self.span = [float(word) for word in times.split()]

    def __exit__(self, *args):
        with contextlib.suppress(Missing):
            self.end()
        super().__exit__(*args)


class Throttle(Loop):
    """A slow disk, and little memory to hide it in."""

    name = "a disk of 8 MB/s, and 16 MB of dirty pages"
    bytes_per_second = 8 << 20
    dirty_bytes = 16 << 20

    def setup(self, stack):
        if not THROTTLE.exists():
            raise Missing(f"there is no {THROTTLE}")
        super().setup(stack)
        bdi = Path("/sys/class/bdi") / self.device
        if not (bdi / "strict_limit").exists():
            raise Missing(f"there is no strict_limit in {bdi}")
        try:
            for name, value in (("strict_limit", 1), ("max_bytes", self.dirty_bytes)):
                (bdi / name).write_text(str(value))
            THROTTLE.write_text(f"{self.device} {self.bytes_per_second}")
        except OSError as error:
            raise Missing(str(error)) from error
        stack.callback(THROTTLE.write_text, f"{self.device} 0")


class Fuse(Quiet):
    """A file system in a process, which takes its time for each write, and stops once."""

    def __init__(self, where, program, at=2.0, seconds=1.5, delay_ms=3):
        super().__init__(where)
        self.program = program
        self.at = at
        self.seconds = seconds
        self.delay_ms = delay_ms
        self.child = None
        self.timer = None
        self.name = f"FUSE, {delay_ms} ms for each write, and {seconds} s of nothing"

    def setup(self, stack):
        if self.program is None:
            raise Missing("slow-fs is not built: there is no libfuse3")
        store, mounted = self.dir / "store", self.dir / "mounted"
        store.mkdir()
        mounted.mkdir()
        # pylint: disable-next=consider-using-with
        self.child = subprocess.Popen([self.program, str(store), str(self.delay_ms), str(mounted)],
                                      start_new_session=True)

        def stop():
            subprocess.run(["umount", "-l", str(mounted)], check=False)
            self.child.kill()
            self.child.wait()
        stack.callback(stop)
        for _ in range(500):
            if os.path.ismount(mounted):
                break
            if self.child.poll() is not None:
                raise Missing("no FUSE file system can be mounted")
            time.sleep(0.01)
        self.dir = mounted

    def begin(self):
        # A shell, so that it goes on whatever becomes of us.
        # pylint: disable-next=consider-using-with
        self.timer = subprocess.Popen(
            ["sh", "-c", f"trap '' INT TERM; sleep {self.at}; kill -STOP {self.child.pid}; "
                         f"sleep {self.seconds}; kill -CONT {self.child.pid}"],
            start_new_session=True)

    def end(self):
        if self.timer is not None:
            self.timer.wait()
            self.timer = None

    def __exit__(self, *args):
        self.end()
        super().__exit__(*args)
