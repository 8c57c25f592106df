# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Coroutines in a GLib main loop, without asyncio."""

import asyncio
import inspect
import sys
import traceback

from gi.repository import GLib

from ._pump import ensure_main_context, get_pump

_get_running_loop = asyncio._get_running_loop


class Future:
    """A result that is not there yet, for code that runs in a GLib main loop without asyncio.

    Its methods are those of ``asyncio.Future``, but done callbacks are called at once by what sets
    the result, not by a later turn of the loop.
    """

    __slots__ = ("_callbacks", "_done", "_exception", "_retrieved", "_value", "__weakref__")

    def __init__(self):
        self._callbacks = ()
        self._done = False
        self._exception = None
        self._retrieved = False
        self._value = None

    def __await__(self):
        if not self._done:
            loop = _get_running_loop()
            if loop is None:
                yield self
            else:
                # Started before asyncio ran. The pump is what lets it end.
                pump = get_pump(loop)
                waiter = loop.create_future()
                if not pump.reading:
                    pump.read()
                self.add_done_callback(lambda _: _wake(waiter))
                yield from waiter
        return self.result()

    __iter__ = __await__

    def __del__(self):
        if self._exception is not None and not self._retrieved \
                and not isinstance(self._exception, asyncio.CancelledError):
            print(f"{self!r}: nobody asked for this exception", file=sys.stderr)
            traceback.print_exception(type(self._exception), self._exception,
                                      self._exception.__traceback__)

    def done(self):
        """Whether there is a result, an exception or a cancellation."""
        return self._done

    def cancelled(self):
        """Whether it was cancelled."""
        return isinstance(self._exception, asyncio.CancelledError)

    def result(self):
        """The result; raises what the operation raised."""
        if not self._done:
            raise asyncio.InvalidStateError("the result is not there yet")
        if self._exception is not None:
            self._retrieved = True
            try:
                raise self._exception
            finally:
                self = None  # else the traceback keeps it, and it the traceback
        return self._value

    def exception(self):
        """The exception, or None. Raises CancelledError when it was cancelled."""
        if not self._done:
            raise asyncio.InvalidStateError("the result is not there yet")
        self._retrieved = True
        if self.cancelled():
            raise self._exception
        return self._exception

    def add_done_callback(self, function):
        """Calls function(self) when done; at once when it is so already."""
        if self._done:
            function(self)
        elif self._callbacks:
            self._callbacks.append(function)
        else:
            self._callbacks = [function]

    def remove_done_callback(self, function):
        """Takes callbacks back, and returns how many."""
        kept = [other for other in self._callbacks if other != function]
        removed = len(self._callbacks) - len(kept)
        self._callbacks = kept
        return removed

    def cancel(self, msg=None):
        """Ends it with CancelledError; False when it is done already."""
        if self._done:
            return False
        self.set_exception(asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg))
        return True

    def set_result(self, value):
        """Ends it with a result."""
        if self._done:
            raise asyncio.InvalidStateError("the result is there already")
        self._value = value
        self._settle()

    def set_exception(self, exception):
        """Ends it with an exception."""
        if self._done:
            raise asyncio.InvalidStateError("the result is there already")
        if isinstance(exception, type):
            exception = exception()
        self._exception = exception
        self._settle()

    def _settle(self):
        self._done = True
        callbacks, self._callbacks = self._callbacks, ()
        for function in callbacks:
            function(self)


def _wake(waiter):
    if not waiter.done():
        waiter.set_result(None)


class Task(Future):
    """A coroutine that runs in a GLib main loop. See Gaio.spawn()."""

    __slots__ = ("_coroutine", "_running", "_must_cancel", "_waiting_for")

    def __init__(self, coroutine):
        super().__init__()
        if not inspect.iscoroutine(coroutine):
            raise TypeError(f"a coroutine was expected, got {coroutine!r}")
        self._coroutine = coroutine
        self._running = False
        self._must_cancel = None
        self._waiting_for = None
        self._step(None)

    def __repr__(self):
        return f"<Gaio.Task {getattr(self._coroutine, '__qualname__', self._coroutine)}>"

    def cancel(self, msg=None):
        """Raises CancelledError where the coroutine waits; False when it is done already."""
        if self._done:
            return False
        waiting_for = self._waiting_for
        if waiting_for is None or not waiting_for.cancel(msg):
            self._must_cancel = (
                asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg))
        return True

    def _wakeup(self, future):
        self._waiting_for = None
        self._step(None)

    def _step(self, exception):
        coroutine = self._coroutine
        while not self._done:
            if self._must_cancel is not None:
                exception, self._must_cancel = self._must_cancel, None
            try:
                if exception is None:
                    waiting_for = coroutine.send(None)
                else:
                    waiting_for = coroutine.throw(exception)
            except StopIteration as stop:
                self.set_result(stop.value)
                return
            except (KeyboardInterrupt, SystemExit) as error:
                self.set_exception(error)
                raise
            except BaseException as error:
                self.set_exception(error)
                return
            exception = None
            if waiting_for is None and _get_running_loop() is not None:
                # asyncio.sleep(0), where asyncio runs on GLib.
                _get_running_loop().call_soon(self._wakeup, None)
                return
            if not isinstance(waiting_for, Future) and not _is_asyncio_future(waiting_for):
                exception = RuntimeError(
                    f"{waiting_for!r} needs asyncio; a GLib main loop can wait only for what "
                    "Gaio starts")
            elif waiting_for is self:
                exception = RuntimeError("a task cannot wait for itself")
            elif self._must_cancel is not None:
                # It cancelled itself while it ran, and does not get to wait.
                waiting_for.cancel()
            elif not waiting_for.done():
                self._waiting_for = waiting_for
                waiting_for.add_done_callback(self._wakeup)
                return


def _is_asyncio_future(thing):
    """Whether it is one whose loop will call back, since it runs on GLib."""
    if not getattr(thing, "_asyncio_future_blocking", False) or not thing.get_loop().is_running():
        return False
    thing._asyncio_future_blocking = False
    return True


def spawn(coroutine):
    """Starts a coroutine in the GLib main loop of this thread, and returns a Gaio.Task.

    The coroutine runs until it first waits, and from then on when the main loop does. The task can
    be cancelled, awaited by other coroutines, and asked for its result.
    """
    return Task(coroutine)


def run(coroutine):
    """Runs a GLib main loop until the coroutine is done, and returns what it returns.

    This is to GLib what asyncio.run() is to asyncio. Interrupting it (Ctrl+C) cancels the
    coroutine, waits for it to end, and raises KeyboardInterrupt.
    """
    if _get_running_loop() is not None:
        coroutine.close()
        raise RuntimeError("Gaio.run() inside asyncio: await the coroutine instead")
    ensure_main_context()
    task = Task(coroutine)
    interrupted = None
    while not task.done():
        loop = GLib.MainLoop.new(GLib.MainContext.ref_thread_default(), False)

        def quit_loop(_):
            loop.quit()

        task.add_done_callback(quit_loop)
        try:
            loop.run()
        except KeyboardInterrupt as error:
            if interrupted is not None:
                raise
            interrupted = error
            task.cancel()
        finally:
            task.remove_done_callback(quit_loop)
    if interrupted is not None and task.cancelled():
        raise interrupted
    return task.result()
