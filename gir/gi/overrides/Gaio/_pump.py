# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Lets a Gaio.Context work inside an asyncio loop.

Plain asyncio knows nothing of GLib. But a context is one descriptor, readable when the context has
something to do, and gaio_context_iterate() then does it. The pump makes the loop watch it from its
first operation on, for as long as the loop lives: other threads may use its files, too.
"""

import asyncio
import collections
import os
import selectors
import threading
import weakref

from gi.module import get_introspection_module
from gi.repository import GLib

_Gaio = get_introspection_module("Gaio")


class Pump:
    """The context of one loop. Who starts an operation calls read() unless `reading`."""

    __slots__ = ("context", "fd", "iterate", "_loop", "reading", "spare_cancellables",
                 "__weakref__")

    def __init__(self, loop):
        on_glib = _runs_on_glib(loop)
        if not on_glib:
            ensure_main_context()
        self._loop = weakref.ref(loop)
        self.context = _Gaio.Context.ref_thread_default()
        # One of its own, since the program may give the context's to the same loop.
        self.fd = -1 if on_glib else _dup(self.context.get_fd())
        if self.fd >= 0:
            weakref.finalize(self, os.close, self.fd)
        self.iterate = self.context.iterate
        self.reading = self.fd < 0  # GLib does it
        self.spare_cancellables = collections.deque(maxlen=1024)

    def read(self):
        self._loop().add_reader(self.fd, self.iterate)
        self.reading = True


def _dup(fd):
    return os.dup(fd) if fd >= 0 else fd


_pumps = weakref.WeakKeyDictionary()
_last_pump = (lambda: None, None)


def get_pump(loop):
    global _last_pump
    get_loop, pump = _last_pump
    if get_loop() is loop:
        return pump
    pump = _pumps.get(loop)
    if pump is None:
        pump = _pumps[loop] = Pump(loop)
    _last_pump = (weakref.ref(loop), pump)
    return pump


def watch_context():
    """Makes the running asyncio loop, if there is one, look after the context from now on."""
    loop = asyncio._get_running_loop()
    if loop is not None:
        pump = get_pump(loop)
        if not pump.reading:
            pump.read()


_thread = threading.local()


def ensure_main_context():
    """Results are delivered in the thread-default main context. The default one is the main
    thread's, so a loop in another thread needs one of its own. GLib drops it with the thread, and
    before that Python drops the Gaio.Context that is attached to it."""
    if (threading.current_thread() is not threading.main_thread()
            and GLib.MainContext.get_thread_default() is None):
        GLib.MainContext.new().push_thread_default()
        _thread.context = _Gaio.Context.ref_thread_default()


_STOCK_SELECTORS = tuple(
    getattr(selectors, name)
    for name in ("SelectSelector", "PollSelector", "EpollSelector", "DevpollSelector")
    if hasattr(selectors, name))


def _runs_on_glib(loop):
    """Whether GLib waits for this asyncio loop, and so for the context, too.

    To be in a GLib dispatch is not enough: a plain loop may have been started by a callback.
    """
    if type(getattr(loop, "_selector", None)) in _STOCK_SELECTORS:
        return False
    return GLib.main_depth() > 0
