# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""What makes Gaio feel like Python.

Every pair of the library ``X_async`` / ``X_finish`` gets a method ``X`` that starts the operation
at once and returns something to await. The blocking form of the library is ``X_sync``; ``X_async``
and ``X_finish`` stay what they are, for those who want a callback. Errors are ``OSError``.

Three kinds of loop can wait for an operation:

- asyncio. Plain asyncio knows nothing of GLib, so a pump makes the loop watch the one descriptor of
  the ``Gaio.Context`` while operations are pending, and lets the context work when it is readable.
- asyncio on top of GLib (``gi.events`` of PyGObject 3.50 and later, gbulb). GLib runs the context.
- GLib alone: ``Gaio.run(coroutine)`` for a script, ``Gaio.spawn(coroutine)`` in an application
  that has its main loop running.

An operation is awaited in the thread that started it. Nothing here runs in any other thread,
except the function that is given to ``Gaio.ThreadPool.run``.
"""

import asyncio
import collections
import inspect
import os
import selectors
import sys
import traceback
import weakref

from gi.repository import GLib, GObject, Gio

from ..module import get_introspection_module

_Gaio = get_introspection_module("Gaio")

_get_running_loop = asyncio._get_running_loop
_cancellable_new = Gio.Cancellable.new

__all__ = []


def _export(item):
    __all__.append(item.__name__)
    return item


# Errors


def _os_error(error, where=None):
    """The OSError that says what a GLib.Error says; the error itself when no errno stands for it.

    `where` is a path, or an object that may have one.
    """
    errnum = _Gaio.error_get_errno(error)
    if errnum == 0:
        return error
    if where is not None and not isinstance(where, str):
        get_path = getattr(where, "get_path", None)
        where = get_path() if get_path is not None else None
    if where is not None:
        result = OSError(errnum, os.strerror(errnum), where)
    else:
        result = OSError(errnum, os.strerror(errnum))
    # The library's own message knows more, for example how much of a write was written.
    result.__cause__ = error
    return result


# The awaitables


@_export
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
                pump = _get_pump(loop)
                waiter = loop.create_future()
                pump.begin()
                self.add_done_callback(lambda _: (pump.end(), _wake(waiter)))
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


class _GLibOperation(Future):
    """An operation of the library, awaited in a GLib main loop."""

    __slots__ = ("_call", "_cancellable", "_where")

    def __init__(self, call, cancellable, where):
        super().__init__()
        self._call = call
        self._cancellable = _cancellable_new() if cancellable is None else cancellable
        self._where = where

    def cancel(self, msg=None):
        if not super().cancel(msg):
            return False
        self._cancellable.cancel()
        return True

    def _ended(self, source, result):
        if self._done:
            return
        try:
            value = self._call.finish(source, result)
        except GLib.Error as error:
            self.set_exception(_os_error(error, self._where))
        except Exception as error:
            self.set_exception(error)
        else:
            self.set_result(value)


class _AsyncioOperation(asyncio.Future):
    """An operation of the library, awaited in asyncio.

    Cancelling it cancels the Gio.Cancellable and does not wait: the kernel may still be busy with
    a buffer, which is the library's own. A close of the file waits for that.
    """

    def __init__(self, call, cancellable, where, loop, pump):
        super().__init__(loop=loop)
        self._call = call
        self._where = where
        self._pump = pump
        # Most cancellables are never cancelled, and so can serve again.
        self._own = cancellable is None
        if cancellable is None:
            spare = pump.spare_cancellables
            cancellable = spare.pop() if spare else _cancellable_new()
        self._cancellable = cancellable

    def cancel(self, msg=None):
        if not super().cancel(msg=msg):
            return False
        self._cancellable.cancel()
        return True

    def _ended(self, source, result):
        pump = self._pump
        if self._own and not self.cancelled():
            pump.spare_cancellables.append(self._cancellable)
        pump.end()
        if self.done():
            return
        try:
            value = self._call.finish(source, result)
        except GLib.Error as error:
            self._fail(_os_error(error, self._where))
        except Exception as error:
            self._fail(error)
        else:
            self._settle(self.set_result, value)

    def _fail(self, exception):
        self._settle(self.set_exception, exception)

    def _settle(self, setter, value):
        try:
            setter(value)
        except RuntimeError:
            # The loop was closed with this operation on its way; nobody is left to be told.
            if not self.get_loop().is_closed():
                raise


# asyncio


class _Pump:
    """Lets a Gaio.Context work inside an asyncio loop, while operations are pending.

    A context is one descriptor: it is readable when the context has something to do. The loop
    watches it only while there are operations, so that neither outlives the other.
    """

    __slots__ = ("context", "fd", "iterate", "_loop", "pending", "reading", "spare_cancellables",
                 "_stopping")

    def __init__(self, loop):
        self._loop = weakref.ref(loop)
        self.context = _Gaio.Context.ref_thread_default()
        self.fd = -1 if _runs_on_glib(loop) else self.context.get_fd()
        self.iterate = self.context.iterate
        self.pending = 0
        self.reading = False
        self.spare_cancellables = collections.deque(maxlen=1024)
        self._stopping = False

    def begin(self):
        self.pending += 1
        if not self.reading and self.fd >= 0:
            self._loop().add_reader(self.fd, self.iterate)
            self.reading = True

    def end(self):
        self.pending -= 1
        # Whoever awaits operations one after the other starts the next one before this is called.
        if self.pending == 0 and self.reading and not self._stopping:
            loop = self._loop()
            if loop is None or loop.is_closed():
                self.reading = False
            else:
                self._stopping = True
                loop.call_soon(self._stop)

    def _stop(self):
        self._stopping = False
        if self.pending == 0 and self.reading:
            self.reading = False
            self._loop().remove_reader(self.fd)


_pumps = weakref.WeakKeyDictionary()
_last_pump = (lambda: None, None)


def _get_pump(loop):
    global _last_pump
    get_loop, pump = _last_pump
    if get_loop() is loop:
        return pump
    pump = _pumps.get(loop)
    if pump is None:
        pump = _pumps[loop] = _Pump(loop)
    _last_pump = (weakref.ref(loop), pump)
    return pump


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


# GLib without asyncio


@_export
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
            if not isinstance(waiting_for, Future):
                exception = RuntimeError(
                    f"{waiting_for!r} needs asyncio; a GLib main loop can wait only for what "
                    "Gaio starts")
                continue
            if waiting_for is self:
                exception = RuntimeError("a task cannot wait for itself")
                continue
            exception = None
            if waiting_for.done():
                continue
            self._waiting_for = waiting_for
            waiting_for.add_done_callback(self._wakeup)
            if self._must_cancel is None or not waiting_for.cancel():
                return


@_export
def spawn(coroutine):
    """Starts a coroutine in the GLib main loop of this thread, and returns a Gaio.Task.

    The coroutine runs until it first waits, and from then on when the main loop does. The task can
    be cancelled, awaited by other coroutines, and asked for its result.
    """
    return Task(coroutine)


@_export
def run(coroutine):
    """Runs a GLib main loop until the coroutine is done, and returns what it returns.

    This is to GLib what asyncio.run() is to asyncio. Interrupting it (Ctrl+C) cancels the
    coroutine, waits for it to end, and raises KeyboardInterrupt.
    """
    if _get_running_loop() is not None:
        coroutine.close()
        raise RuntimeError("Gaio.run() inside asyncio: await the coroutine instead")
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


# The operations


def _to_bytes(value):
    return value.get_data() or b""


def _to_glib_bytes(data):
    if isinstance(data, GLib.Bytes):
        return data
    # PyGObject copies bytes at once and everything else item by item.
    return GLib.Bytes.new(data if type(data) is bytes else bytes(memoryview(data)))


def _to_path(path):
    path = os.fsdecode(path)
    if "\0" in path:
        # PyGObject would cut it off there.
        raise ValueError("embedded null byte")
    return path


def _begin(call, where, start, arguments, io_priority, cancellable):
    loop = _get_running_loop()
    if loop is None:
        operation = _GLibOperation(call, cancellable, where)
        start(*arguments, io_priority, operation._cancellable, operation._ended)
    else:
        pump = _get_pump(loop)
        operation = _AsyncioOperation(call, cancellable, where, loop, pump)
        start(*arguments, io_priority, operation._cancellable, operation._ended)
        pump.begin()
    return operation


_DEFAULTS = {"mode": "r", "attributes": None, "data_only": False}
_CONVERTERS = {"path": _to_path, "bytes": _to_glib_bytes}
_LAST = ("io_priority", "cancellable", "callback", "user_data")


class _Call:
    """How one operation of the library is called from Python.

    The arguments of a method begin with the object, as Python's own do.
    """

    __slots__ = ("name", "qualified_name", "start", "blocking", "finish", "names", "converters",
                 "where_index", "is_method", "to_python", "signature")

    def __init__(self, name, start, finish, blocking, owner):
        names = [argument.get_name() for argument in start.get_arguments()]
        if "io_priority" not in names or "cancellable" not in names:
            raise TypeError(f"{name}_async has no place for a priority or a cancellable")
        self.name = name
        self.start = start
        self.blocking = blocking
        is_method = owner is not None
        self.is_method = is_method
        self.qualified_name = f"{owner.__name__}.{name}" if is_method else name
        self.names = (("self",) if is_method else ()) + tuple(
            argument for argument in names if argument not in _LAST)
        self.converters = tuple((index, _CONVERTERS[argument])
                                for index, argument in enumerate(self.names)
                                if argument in _CONVERTERS)
        # What an error is about: the path that was given, or else the object.
        self.where_index = (self.names.index("path") if "path" in self.names
                            else 0 if is_method else None)
        self.to_python = _to_bytes if _returns_bytes(finish) else None
        self.finish = self._make_finish(finish)
        kinds = inspect.Parameter
        self.signature = [
            kinds(argument, kinds.POSITIONAL_OR_KEYWORD,
                  default=_DEFAULTS.get(argument, kinds.empty))
            for argument in self.names]

    def _make_finish(self, finish):
        to_python = self.to_python
        if self.is_method and to_python is None:
            return finish
        if self.is_method:
            return lambda source, result: to_python(finish(source, result))
        if to_python is None:
            return lambda source, result: finish(result)
        return lambda source, result: to_python(finish(result))

    def bind(self, arguments, keywords):
        """All arguments in the library's order, from what Python was given."""
        if len(arguments) > len(self.names):
            raise TypeError(f"{self.name}() takes {len(self.names)} positional arguments, "
                            f"{len(arguments)} were given")
        bound = list(arguments)
        for argument in self.names[len(arguments):]:
            if argument in keywords:
                bound.append(keywords.pop(argument))
            elif argument in _DEFAULTS:
                bound.append(_DEFAULTS[argument])
            else:
                raise TypeError(f"{self.name}() needs an argument {argument!r}")
        if keywords:
            raise TypeError(f"{self.name}() has no argument {next(iter(keywords))!r}")
        return bound

    def convert(self, arguments):
        arguments = list(arguments)
        for index, converter in self.converters:
            arguments[index] = converter(arguments[index])
        return arguments

    def where(self, arguments):
        return arguments[self.where_index] if self.where_index is not None else None

    def make_awaitable(self):
        """X(...): starts the operation now, returns what to await."""
        call, start, count, converters = self, self.start, len(self.names), self.converters

        def operate(*arguments, io_priority=0, cancellable=None, **keywords):
            if keywords or len(arguments) != count:
                arguments = call.bind(arguments, keywords)
            if converters:
                arguments = call.convert(arguments)
            return _begin(call, call.where(arguments), start, arguments, io_priority, cancellable)

        priority = inspect.Parameter("io_priority", inspect.Parameter.KEYWORD_ONLY,
                                     default=GLib.PRIORITY_DEFAULT)
        return self._dress(operate, self.name, [priority],
                           f"Starts {self.start.get_symbol()}() and returns an awaitable. "
                           f"The blocking form is {self.name}_sync().")

    def make_sync(self):
        """X_sync(...): the blocking form."""
        call, blocking, count, to_python = self, self.blocking, len(self.names), self.to_python

        def operate(*arguments, cancellable=None, **keywords):
            if keywords or len(arguments) != count:
                arguments = call.bind(arguments, keywords)
            arguments = call.convert(arguments)
            try:
                value = blocking(*arguments, cancellable)
            except GLib.Error as error:
                raise _os_error(error, call.where(arguments)) from error
            return value if to_python is None else to_python(value)

        return self._dress(operate, f"{self.name}_sync", [],
                           f"Calls {self.blocking.get_symbol()}(), which blocks.")

    def _dress(self, function, name, extra, documentation):
        function.__name__ = name
        function.__qualname__ = self.qualified_name + name[len(self.name):]
        function.__doc__ = documentation
        function.__module__ = "gi.repository.Gaio"
        function.__signature__ = inspect.Signature(
            self.signature + extra
            + [inspect.Parameter("cancellable", inspect.Parameter.KEYWORD_ONLY, default=None)])
        return function


def _returns_bytes(function):
    returns = function.get_return_type()
    return (returns.get_tag_as_string() == "interface"
            and returns.get_interface().get_name() == "Bytes")


def _raises_os_errors(function, owner):
    """The function with OSError for GLib.Error."""
    is_method = function.is_method()
    if not is_method and owner is not None:
        function = getattr(owner, function.__name__)  # a constructor wants to know its class

    def call(*arguments, **keywords):
        try:
            return function(*arguments, **keywords)
        except GLib.Error as error:
            raise _os_error(error) from error

    call.__name__ = function.get_name()
    call.__qualname__ = function.get_symbol()
    call.__doc__ = function.__doc__
    call.__module__ = "gi.repository.Gaio"
    return call if is_method else staticmethod(call)


def _adapt(functions, owner, put):
    """Puts what Python shall see in place of the functions of a class, or of the namespace."""
    done = set()
    for name, start in functions.items():
        base = name[:-len("_async")]
        finish = functions.get(base + "_finish")
        if not name.endswith("_async") or finish is None:
            continue
        call = _Call(base, start, finish, functions.get(base), owner)
        put(base, call.make_awaitable())
        if call.blocking is not None:
            put(base + "_sync", call.make_sync())
        done.update((name, base, base + "_finish"))
    for name, function in functions.items():
        if name not in done and function.can_throw_gerror():
            put(name, _raises_os_errors(function, owner))


def _adapt_namespace():
    function_type = type(_Gaio.error_get_errno)

    def put_function(name, function):
        function = getattr(function, "__func__", function)
        globals()[name] = function
        __all__.append(name)

    functions = {}
    for name in dir(_Gaio):
        item = getattr(_Gaio, name, None)
        if isinstance(item, function_type):
            functions[name] = item
        elif isinstance(item, type) and getattr(item, "__module__", "") == "gi.repository.Gaio":
            methods = {key: value for key, value in vars(item).items()
                       if isinstance(value, function_type)}
            _adapt(methods, item, lambda key, value, item=item: setattr(item, key, value))
    _adapt(functions, None, put_function)


_adapt_namespace()


# Construction


def _adapt_constructors():
    """An object that only a function of the library can make must not come into being half."""
    def refuse(self, *arguments, **keywords):
        raise TypeError(f"make a Gaio.{type(self).__name__} with one of its functions")

    for name in dir(_Gaio):
        item = getattr(_Gaio, name, None)
        if isinstance(item, type) and issubclass(item, GObject.Object) \
                and item not in (_Gaio.Context, _Gaio.ThreadPool):
            item.__init__ = refuse

    make = _Gaio.Context.__init__

    def init_context(self, **properties):
        make(self, **properties)
        self.init(None)

    _Gaio.Context.__init__ = init_context


_adapt_constructors()


# Files


def _file_method(function):
    setattr(_Gaio.File, function.__name__, function)
    return function


@_file_method
async def __aenter__(self):
    return self


@_file_method
async def __aexit__(self, exc_type, exc, tb):
    # An error of the body is the one to see; the file is closed in any case.
    try:
        await self.close()
    except OSError:
        if exc_type is None:
            raise


@_file_method
def __enter__(self):
    return self


@_file_method
def __exit__(self, exc_type, exc, tb):
    try:
        self.close_sync()
    except OSError:
        if exc_type is None:
            raise


@_file_method
async def chunks(self, size=256 * 1024, *, offset=0, ahead=4):
    """Yields the file from `offset` to its end, in pieces of `size` bytes, the last one shorter.

    While one piece is being used the next `ahead` are being read. A file without positions, such
    as a pipe, is read piece by piece, and each piece is as long as what was there.
    """
    if size <= 0 or ahead <= 0:
        raise ValueError("size and ahead must be positive")
    if not self.is_seekable():
        while True:
            data = await self.read_bytes(0, size)
            if not data:
                return
            yield data
    reads = collections.deque()
    try:
        while True:
            while len(reads) < ahead:
                reads.append(self.read_bytes(offset, size))
                offset += size
            data = await reads[0]
            reads.popleft()
            if data:
                yield data
            if len(data) < size:
                return
    finally:
        for read in reads:
            # Nobody will ask for the others, nor for their errors.
            if not read.cancel() and not read.cancelled():
                read.exception()


@_file_method
def __aiter__(self):
    return self.chunks()


# Threads


class _Job:
    """A Python function on its way through a thread of the pool, and what came of it."""

    __slots__ = ("_arguments", "_error", "_function", "_value")

    def __init__(self, function, arguments):
        self._function = function
        self._arguments = arguments
        self._error = None
        self._value = None

    def work(self, *_):
        try:
            self._value = self._function(*self._arguments)
        except BaseException as error:
            self._error = error

    def finish(self, source, result):
        source.run_finish(result)
        if self._error is not None:
            raise self._error
        return self._value


def _run_in_pool(self, function, *arguments, io_priority=0, cancellable=None):
    """Calls function(*arguments) in a thread of the pool; awaits to what it returns or raises."""
    job = _Job(function, arguments)
    return _begin(job, None, self.run_async, (job.work,), io_priority, cancellable)


_run_in_pool.__name__ = "run"
_run_in_pool.__qualname__ = "ThreadPool.run"
_Gaio.ThreadPool.run = _run_in_pool
