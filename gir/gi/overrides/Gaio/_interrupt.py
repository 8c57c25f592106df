# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Ctrl+C, and other signals, in the calls of the library that wait.

A signal handler of Python runs in the main thread, between two lines of Python; and there are none
while that thread waits in the library. What happens at once is that the signal's number is written
to the descriptor of signal.set_wakeup_fd(), if there is one. So there is one while such a call
lasts. A thread reads it and has the call return, whether it waits already or is about to; and when
it has, Python runs the handler.

An exception in a callback of the library would be printed and forgotten. So SIGINT is only noted
while the call lasts, and KeyboardInterrupt raised at its end. PyGObject does the same for
GLib.MainLoop.run(), and its record of the calls within calls is used, so that each of both kinds
ends those that are around it. A handler of the program's own stays in place.

This is for the main thread; in others nothing happens here, as no handler runs there.
"""

# Those of the module `signal` make an enumeration of each number, which takes longer than the wait.
from _signal import default_int_handler, getsignal, set_wakeup_fd
from _signal import signal as set_handler
import _thread
import atexit
import os
import signal
import threading

from gi import _ossighelper
from gi.repository import Gio, GObject

SIGINT = int(signal.SIGINT)

# A Gio.Cancellable has others of these names, which wait.
_connect = GObject.Object.connect
_disconnect = GObject.Object.disconnect

# Where the handlers are that end the calls, and do not raise anything.
_OF_CALLS = (__name__, _ossighelper.__name__)

# No signals: to ask the thread whether it has come so far, and to end it.
_MARK = 0
_END = 255


class _Watch:
    """The descriptor that the system's handler writes to, and the thread that reads it."""

    def __init__(self):
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writer, False)
        self._before = -1
        self._marks = threading.Semaphore(0)
        self._ended = threading.Semaphore(0)
        # Not a threading.Thread: a handler that raises while one is started leaves it half made.
        _thread.start_new_thread(self._run, ())

    def begin(self):
        self._before = set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def end(self):
        ours = set_wakeup_fd(self._before)
        if ours != self._writer:
            set_wakeup_fd(ours)  # somebody has taken it over

    def take_over(self, other):
        self.begin()
        self._before = other._before

    def close(self):
        os.close(self._reader)
        os.close(self._writer)

    def settle(self):
        """Returns when the thread has done all about the signals that have come."""
        os.write(self._writer, bytes((_MARK,)))
        self._marks.acquire()

    def stop(self):
        os.write(self._writer, bytes((_END,)))
        self._ended.acquire()

    def _run(self):
        while True:
            for signo in os.read(self._reader, 256):
                if signo == _END:
                    self._ended.release()
                    return
                if signo == _MARK:
                    self._marks.release()
                    continue
                for call in tuple(_calls):
                    call.end_soon(signo)
                try:
                    if self._before >= 0:
                        os.write(self._before, bytes((signo,)))
                except OSError:
                    pass  # full, or gone: then nobody waits for it


_watch = None
_calls = []  # those that last, the innermost at the end
_at_exit = False


def _begin_child():
    """The thread is the parent's, and what it reads would be, too."""
    global _watch
    of_parent, _watch = _watch, None
    if of_parent is None:
        return
    if _calls:
        _watch = _Watch()
        _watch.take_over(of_parent)
    of_parent.close()


def _stop():
    """A thread that is in the library must not outlive the interpreter."""
    global _at_exit
    _at_exit = True
    if _watch is not None:
        _watch.stop()


atexit.register(_stop)
os.register_at_fork(after_in_child=_begin_child)


def _on_interrupt(signo, frame):
    if not _ossighelper._sigint_called:
        _ossighelper._sigint_called = True
        _ossighelper._callback_stack.pop()()


class Call:
    """A call that waits; `with` it. `end_soon` is called with the number of each signal, in another
    thread, and has it return."""

    __slots__ = ("end_soon", "_interrupted", "_is_open", "_notes", "_replaces")

    def __init__(self, end_soon):
        self.end_soon = end_soon
        self._interrupted = False

    def __enter__(self):
        global _watch
        self._is_open = (threading.get_ident() == threading.main_thread().ident and
                         not _at_exit)
        if not self._is_open:
            return self
        handler = getsignal(SIGINT)
        self._replaces = (handler is default_int_handler and
                          _ossighelper.PyOS_getsig(SIGINT) == _ossighelper.startup_sigint_ptr)
        # The calls around it are to end, only a callback is not through yet.
        self._interrupted = (_ossighelper._sigint_called and
                             getattr(handler, "__module__", None) in _OF_CALLS)
        self._notes = not self._interrupted and (self._replaces or
                                                 bool(_ossighelper._callback_stack))
        if self._notes:
            _ossighelper._callback_stack.append(self._note)
        if self._replaces:
            _ossighelper._sigint_called = False
            set_handler(SIGINT, _on_interrupt)
        try:
            _calls.append(self)
            if len(_calls) == 1:
                _watch = _watch or _Watch()
                _watch.begin()
            if self._interrupted:
                self.end_soon(SIGINT)
        except BaseException:
            # A handler of the program raises.
            Call.__exit__(self, None, None, None)
            raise
        return self

    def __exit__(self, exc_type, exc, tb):
        if not self._is_open:
            return
        self._leave()
        try:
            if self._interrupted:
                _watch.settle()
            if self._replaces and getsignal(SIGINT) is _on_interrupt:
                set_handler(SIGINT, default_int_handler)
        finally:
            # Also when there was one more just now, which raises.
            if self._notes and not self._interrupted:
                _ossighelper._callback_stack.pop()
            elif self._notes and not self._replaces:
                _ossighelper._callback_stack.pop()()  # the call around this one ends, too
        if self._interrupted:
            raise KeyboardInterrupt from None

    def _leave(self):
        self._is_open = False
        try:
            if _calls == [self] and _watch is not None:
                _watch.end()
        finally:
            if self in _calls:
                _calls.remove(self)

    def _note(self):
        self._interrupted = True

    def is_to_end(self):
        """Whether it lasts though there was an interrupt."""
        return self._is_open and self._interrupted


class CancelledCall(Call):
    """One with a cancellable, which `with` gives: an interrupt cancels it. One that the program has
    given stays as it is."""

    __slots__ = ("_given", "_handler", "_own")

    def __init__(self, given):
        super().__init__(self._cancel)
        self._given = given
        self._handler = None
        self._own = Gio.Cancellable.new()

    def __enter__(self):
        super().__enter__()
        if not self._is_open or not (self._notes or self._interrupted):
            return self._given
        if self._given is not None:
            self._handler = _connect(self._given, "cancelled", lambda _: self._own.cancel())
            if self._given.is_cancelled():
                self._own.cancel()
        return self._own

    def __exit__(self, exc_type, exc, tb):
        if self._handler is not None:
            _disconnect(self._given, self._handler)
        super().__exit__(exc_type, exc, tb)

    def _cancel(self, signo):
        if signo == SIGINT and (self._notes or self._interrupted):
            self._own.cancel()
