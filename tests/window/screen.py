# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""A screen that nobody sees, for real windows: Xvfb, what is on it, and a mouse."""

import ctypes
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import zlib

WIDTH, HEIGHT = 640, 480


class Unavailable(Exception):
    """There can be no screen; the text says why."""


class Screen:
    def __init__(self):
        if not shutil.which("Xvfb"):
            raise Unavailable("there is no Xvfb")
        self.dir = tempfile.mkdtemp(prefix="gaio-screen-")
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{WIDTH}x{HEIGHT}x24",
             "-fbdir", self.dir, "-nolisten", "tcp", "-noreset"],
            pass_fds=[writer], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            number = pipe.readline().strip()
        if not number:
            self.close()
            raise Unavailable("Xvfb does not start")
        self.name = f":{number}"

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def environment(self):
        """For a program of GTK that is to need nothing else of a desktop."""
        return dict(os.environ, DISPLAY=self.name, GDK_BACKEND="x11", GSK_RENDERER="cairo",
                    GTK_A11Y="none", GSETTINGS_BACKEND="memory", GIO_USE_VFS="local",
                    NO_AT_BRIDGE="1", DBUS_SESSION_BUS_ADDRESS="disabled:")

    def pixels(self):
        """What is on the screen now: rows of 4 bytes a pixel, blue first. (It is an XWD file.)"""
        with open(os.path.join(self.dir, "Xvfb_screen0"), "rb") as file:
            data = file.read()
        header = struct.unpack(">25I", data[:100])
        size, row, colors = header[0], header[12], header[19]
        begin = size + colors * 12
        return [data[begin + y * row:begin + y * row + WIDTH * 4] for y in range(HEIGHT)]

    def save_png(self, path):
        rows = b"".join(b"\0" + bytes(byte for i in range(0, len(row), 4)
                                      for byte in (row[i + 2], row[i + 1], row[i]))
                        for row in self.pixels())

        def chunk(kind, data):
            return (struct.pack(">I", len(data)) + kind + data
                    + struct.pack(">I", zlib.crc32(kind + data)))

        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n"
                       + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0))
                       + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Mouse:
    """Presses a button of the screen's mouse, by XTest."""

    def __init__(self, screen):
        try:
            self.x11 = ctypes.CDLL("libX11.so.6")
            self.xtst = ctypes.CDLL("libXtst.so.6")
        except OSError as error:
            raise Unavailable(str(error)) from error
        self.x11.XOpenDisplay.restype = ctypes.c_void_p
        self.display = self.x11.XOpenDisplay(screen.name.encode())
        if not self.display:
            raise Unavailable("no connection to the screen")

    def call(self, function, *arguments):
        function(ctypes.c_void_p(self.display), *arguments)

    def click(self, x, y):
        self.call(self.xtst.XTestFakeMotionEvent, -1, x, y, ctypes.c_ulong(0))
        for pressed in (1, 0):
            self.call(self.xtst.XTestFakeButtonEvent, 1, pressed, ctypes.c_ulong(0))
        self.call(self.x11.XSync, 0)

    def close(self):
        self.call(self.x11.XCloseDisplay)
