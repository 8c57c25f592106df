# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""What makes Gaio feel like Python.

Every pair of the library ``X_async`` / ``X_finish`` gets a function or method ``X`` that starts the
operation at once and returns something to await. The blocking form of the library is ``X_sync``;
``X_async`` and ``X_finish`` stay what they are, for those who want a callback. Errors are
``OSError``.

The streams are Gio's: every method has the meaning, the result and the errors that it has there.
Their ``X_async`` can do without a callback, as those of PyGObject 3.50 and later, and then return
something to await: ``data = await stream.read_bytes_async(4096)``.

Three kinds of loop can wait for an operation:

- asyncio (_pump.py tells how it gets to know of GLib);
- asyncio on top of GLib (``gi.events`` of PyGObject 3.50 and later, gbulb);
- GLib alone: ``Gaio.run(coroutine)`` for a script, ``Gaio.spawn(coroutine)`` in an application
  that has its main loop running.

An operation is awaited in the thread that started it. Nothing here runs in any other thread,
except the function that is given to ``Gaio.ThreadPool.run``, and what has a call of the main thread
return when a signal comes: Ctrl+C ends the calls that wait, and those that block, with
``KeyboardInterrupt`` (_interrupt.py tells how).
"""

from gi.module import get_introspection_module
from gi.repository import GObject

from . import _batch, _file, _operations
from ._glib import Future, Task, run, spawn
from ._interrupt import Call

_Gaio = get_introspection_module("Gaio")
_FunctionInfo = type(_Gaio.error_get_errno)

__all__ = ["Future", "Task", "run", "spawn"]


def _adapt(functions, owner, put):
    """Puts what Python shall see in place of the functions of a class, or of the namespace."""
    done = set()
    for name, start in functions.items():
        base = name[:-len("_async")]
        finish = functions.get(base + "_finish")
        if not name.endswith("_async") or finish is None:
            continue
        blocking = functions.get(base)
        made = _operations.make(base, start, finish, blocking, owner)
        if made is not None:
            for function in made:
                put(function.__name__, function)
            done.update((name, base, base + "_finish"))
    for name, function in functions.items():
        # What is raw stays so.
        if name not in done and not name.endswith("_finish") and function.can_throw_gerror():
            put(name, _operations.raising_os_errors(function, owner))


def _is_class(item):
    return isinstance(item, type) and getattr(item, "__module__", "") == "gi.repository.Gaio"


def _adapt_namespace():
    items = {name: getattr(_Gaio, name, None) for name in dir(_Gaio)}

    def put_function(name, function):
        globals()[name] = function
        __all__.append(name)

    _adapt({name: item for name, item in items.items() if isinstance(item, _FunctionInfo)}, None,
           put_function)
    for item in filter(_is_class, items.values()):
        _adapt({name: value for name, value in vars(item).items()
                if isinstance(value, _FunctionInfo)}, item,
               lambda name, function, item=item: setattr(item, name, function))


def _adapt_constructors():
    """An object that only a function of the library can make must not come into being half."""
    def refuse(self, *arguments, **keywords):
        raise TypeError(f"make a Gaio.{type(self).__name__} with one of its functions")

    for name in dir(_Gaio):
        item = getattr(_Gaio, name, None)
        if _is_class(item) and issubclass(item, GObject.Object) and item not in (
                _Gaio.BufferPool, _Gaio.Context, _Gaio.FileIOStream, _Gaio.FileInputStream,
                _Gaio.FileOutputStream, _Gaio.ThreadPool):
            item.__init__ = refuse

    make = _Gaio.Context.__init__

    def init_context(self, **properties):
        make(self, **properties)
        self.init(None)

    _Gaio.Context.__init__ = init_context


def _adapt_main_loop():
    run_raw = _Gaio.MainLoop.run
    iterate_raw = _Gaio.MainLoop.iterate

    def run(self):
        """Runs the main context until quit() is called. Ctrl+C ends it with KeyboardInterrupt."""
        context = self.get_context()

        def look():
            # Before it the handlers of Python run.
            if call.is_to_end():
                self.quit()

        with Call(lambda signo: context.invoke(look)) as call:
            run_raw(self)

    def iterate(self, may_block):
        """Runs the main context once. Ctrl+C ends the wait with KeyboardInterrupt."""
        if not may_block:
            return iterate_raw(self, False)
        with Call(lambda signo: self.notify()):
            return iterate_raw(self, True)

    _adapt_method(_Gaio.MainLoop, run)
    _adapt_method(_Gaio.MainLoop, iterate)


def _adapt_context():
    poll_raw = _Gaio.Context.poll
    poll_ns_raw = _Gaio.Context.poll_ns
    wait_raw = _Gaio.Context.wait_while

    def poll(self, may_block):
        """Does one turn. Ctrl+C ends the wait with KeyboardInterrupt, another signal ends it."""
        if not may_block:
            return poll_raw(self, False)
        with Call(lambda signo: self.notify()):
            return poll_raw(self, True)

    def poll_ns(self, timeout_ns):
        """Does one turn, as poll(), with an end to its wait."""
        if timeout_ns == 0:
            return poll_ns_raw(self, 0)
        with Call(lambda signo: self.notify()):
            return poll_ns_raw(self, timeout_ns)

    def wait_while(self, waiter, timeout_ns, cancellable, condition, *user_data):
        """Runs the context until condition(*user_data) is false, or raises. Ctrl+C ends it with
        KeyboardInterrupt."""
        raised = []

        def answer():
            # A generator, since what a handler of a signal raises at the head of a function could
            # not be caught in there.
            holds = None
            while True:
                try:
                    yield holds
                    holds = not call.is_to_end() and condition(*user_data)
                except GeneratorExit:
                    return
                except BaseException as error:
                    raised.append(error)
                    holds = False

        answers = answer()
        next(answers)
        with Call(lambda signo: self.notify()) as call:
            ended = wait_raw(self, waiter, timeout_ns, cancellable, answers.__next__)
        if raised:
            raise raised[0]
        return ended

    for function in (poll, poll_ns, wait_while):
        _adapt_method(_Gaio.Context, function)


def _adapt_method(owner, function):
    function.__qualname__ = f"{owner.__name__}.{function.__name__}"
    setattr(owner, function.__name__, function)


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
    return _operations.begin(job.finish, self.run_async, (job.work,), io_priority, cancellable)


_run_in_pool.__name__ = "run"
_run_in_pool.__qualname__ = "ThreadPool.run"

_adapt_namespace()
_adapt_constructors()
_adapt_main_loop()
_adapt_context()
_Gaio.ThreadPool.run = _run_in_pool
_file.adapt()
_batch.adapt()
