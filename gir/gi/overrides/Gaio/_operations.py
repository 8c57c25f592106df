# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The pairs X_async / X_finish of the library, as something to await; and its errors, as OSError.

For each pair there is a function X, made from a template so that it has the library's arguments by
name and costs no more than it must: ten thousands of them are called in a second.
"""

import asyncio
import contextlib
import errno
import os

from gi.module import get_introspection_module
from gi.repository import GLib, Gio

from ._glib import Future
from ._interrupt import CancelledCall
from ._pump import get_pump

_Gaio = get_introspection_module("Gaio")

_cancellable_new = Gio.Cancellable.new

# In place of a path: the operation is one of Gio's, whose errors stay what they are there.
_GIO = object()


def os_error(error, where=None):
    """The OSError that says what a GLib.Error says; the error itself when no errno stands for it.

    `where` is a path, two of them, or an object that may have one.
    """
    errnum = _Gaio.error_get_errno(error) if where is not _GIO else 0
    if errnum == 0:
        return error
    if where is not None and not isinstance(where, (str, tuple)):
        get_path = getattr(where, "get_path", None)
        where = get_path() if get_path is not None else None
    reason = _reason_of(error.message, os.strerror(errnum))
    if isinstance(where, tuple):
        # As os.rename() has it.
        result = OSError(errnum, reason, where[0], None, where[1])
    elif where is not None:
        result = OSError(errnum, reason, where)
    else:
        result = OSError(errnum, reason)
    result.__cause__ = error
    return result


def _reason_of(message, reason):
    """What a message of the library says besides the operation and the file.

    It is `operation “file”, detail: reason (ERRNO)`, where the detail may be missing, and the
    reason may be another than the system's for this errno.
    """
    start = message.rfind(f": {reason} (")
    if start >= 0:
        _, found, detail = message[:start].rpartition("”, ")
        return f"{reason} ({detail})" if found else reason
    _, found, rest = message.rpartition("”: ")
    return rest.rpartition(" (")[0] or reason if found else reason


class GLibOperation(Future):
    """An operation of the library, awaited in a GLib main loop."""

    __slots__ = ("_finish", "_cancellable", "_where")

    def __init__(self, finish, cancellable, where):
        super().__init__()
        self._finish = finish
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
            value = self._finish(source, result)
        except GLib.Error as error:
            self.set_exception(os_error(error, self._where))
        except Exception as error:
            self.set_exception(error)
        else:
            self.set_result(value)


class AsyncioOperation(asyncio.Future):
    """An operation of the library, awaited in asyncio.

    Cancelling it cancels the Gio.Cancellable and does not wait: the kernel may still be busy with
    a buffer, which is the library's own. A close of the file waits for that.
    """

    __slots__ = ("_finish", "_cancellable", "_own", "_pump", "_where")

    def __init__(self, finish, cancellable, where, loop, pump):
        super().__init__(loop=loop)
        self._finish = finish
        self._where = where
        self._pump = pump
        if cancellable is None:
            # Most are never cancelled, and so can serve again.
            spare = pump.spare_cancellables
            self._cancellable = spare.pop() if spare else _cancellable_new()
            self._own = True
        else:
            self._cancellable = cancellable
            self._own = False

    def cancel(self, msg=None):
        if not super().cancel(msg=msg):
            return False
        self._cancellable.cancel()
        return True

    def _ended(self, source, result):
        if self.done():
            return
        if self._own:
            self._pump.spare_cancellables.append(self._cancellable)
        try:
            try:
                value = self._finish(source, result)
            except GLib.Error as error:
                self.set_exception(os_error(error, self._where))
            except Exception as error:
                self.set_exception(error)
            else:
                self.set_result(value)
        except RuntimeError:
            # The loop was closed with this operation on its way; nobody is left to be told.
            if not self.get_loop().is_closed():
                raise


def to_glib_bytes(data):
    if isinstance(data, GLib.Bytes):
        return data
    # PyGObject copies bytes at once and everything else item by item.
    return GLib.Bytes.new(data if type(data) is bytes else bytes(memoryview(data)))


def to_bytes(data):
    if isinstance(data, GLib.Bytes):
        return data.get_data() or b""
    return data if type(data) is bytes else bytes(memoryview(data))


def to_path(path):
    if isinstance(path, Gio.File):
        local = path.get_path()
        if local is None:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path.get_uri())
        path = local
    path = os.fsdecode(path)
    if "\0" in path:
        # PyGObject would cut it off there.
        raise ValueError("embedded null byte")
    return path


def to_sequence(items):
    return items if hasattr(items, "__len__") else list(items)


def to_lengths(lengths):
    return [lengths] if isinstance(lengths, int) else to_sequence(lengths)


def to_glib_bytes_list(chunks):
    return [to_glib_bytes(data) for data in chunks]


# By the name of the argument.
_DEFAULTS = {
    "attributes": "None",
    "data_only": "False",
    "durability": "0",
    "keep_size": "False",
    "mode": "'r'",
    "permissions": "0o666",
    "progress": "None",
    "with_parents": "False",
    # Of one function.
    "advise length": "0",
    "advise offset": "0",
    "copy flags": "0",
    "enumerate flags": "0",
    "lock length": "0",
    "lock offset": "0",
    "make_directory permissions": "0o777",
    "move flags": "0",
    "query_info flags": "0",
    "remove flags": "0",
    "scan_directory flags": "0",
    "try_lock length": "0",
    "try_lock offset": "0",
    "unlock length": "0",
    "unlock offset": "0",
}
_CONVERTERS = {
    "bytes": "to_glib_bytes",
    "chunks": "to_glib_bytes_list",
    "data": "to_bytes",
    "destination": "to_path",
    "lengths": "to_lengths",
    "offsets": "to_sequence",
    "path": "to_path",
    "source": "to_path",
}

_VALUES = {"one": "value.get_data() or b''",
           "many": "[part.get_data() or b'' for part in value]"}

_LAST = ["io_priority", "cancellable", "callback", "user_data"]

_TEMPLATE = """\
def {name}({parameters}*, io_priority={priority}, cancellable=None):
    "Starts {symbol}() and returns an awaitable."
{conversions}
    loop = get_running_loop()
    if loop is None:
        operation = GLibOperation(finish, cancellable, {where})
        start({arguments}io_priority, operation._cancellable, operation._ended)
        return operation
    pump = get_pump(loop)
    operation = AsyncioOperation(finish, cancellable, {where}, loop, pump)
    start({arguments}io_priority, operation._cancellable, operation._ended)
    if not pump.reading:
        pump.read()
    return operation

def {name}_sync({parameters}*, cancellable=None):
    "Calls {blocking_symbol}(), which blocks."
{conversions}
    try:
        with {call} as cancellable:
            value = blocking({arguments}cancellable)
    except GLibError as error:
        raise os_error(error, {where}) from error
    return {value}

def finish(source, result):
    value = raw_finish({finish_arguments}result)
    return {value}
"""


def _with_default(name, argument):
    default = _DEFAULTS.get(f"{name} {argument}", _DEFAULTS.get(argument))
    return argument if default is None else f"{argument}={default}"


def _call_of(name, owner):
    """What Ctrl+C shall end. A system call on a disk it cannot, and that is not to cost more."""
    call = "CancelledCall(cancellable)"
    if owner is not _Gaio.File or name in ("copy_range", "lock"):
        return call
    return f"nullcontext(cancellable) if is_seekable(self) else {call}"


def make(name, start, raw_finish, blocking, owner):
    """X and X_sync for a pair; None when it is not in the form that all pairs of GIO have.

    `owner` is the class that has them as methods, None for functions.
    """
    names = _argument_names(start)
    if names[-len(_LAST):] != _LAST:
        return None
    names = names[:-len(_LAST)]
    converted = [argument for argument in names if argument in _CONVERTERS]
    self = ["self"] if owner is not None else []
    source = _TEMPLATE.format(
        name=name,
        symbol=start.get_symbol(),
        blocking_symbol=blocking.get_symbol() if blocking is not None else "",
        priority=int(GLib.PRIORITY_DEFAULT),
        parameters="".join(f"{argument}, " for argument in self + [
            _with_default(name, argument) for argument in names]),
        arguments="".join(f"{argument}, " for argument in self + names),
        conversions="\n".join(f"    {argument} = {_CONVERTERS[argument]}({argument})"
                              for argument in converted),
        where="(source, destination)" if "destination" in names and "source" in names else
              next((argument for argument in ("path", "file", "source") if argument in names),
                   "self" if self else "None"),
        finish_arguments="source, " if self else "",
        value=_VALUES.get(_returns_bytes(raw_finish), "value"),
        call=_call_of(name, owner),
    )
    scope = {
        "AsyncioOperation": AsyncioOperation,
        "CancelledCall": CancelledCall,
        "GLibError": GLib.Error,
        "GLibOperation": GLibOperation,
        "__name__": "gi.repository.Gaio",
        "blocking": blocking,
        "get_pump": get_pump,
        "get_running_loop": asyncio._get_running_loop,
        "is_seekable": _Gaio.File.is_seekable,
        "nullcontext": contextlib.nullcontext,
        "os_error": os_error,
        "raw_finish": raw_finish,
        "start": start,
        "to_bytes": to_bytes,
        "to_glib_bytes": to_glib_bytes,
        "to_glib_bytes_list": to_glib_bytes_list,
        "to_lengths": to_lengths,
        "to_path": to_path,
        "to_sequence": to_sequence,
    }
    exec(compile(source, f"<Gaio {name}>", "exec"), scope)
    functions = [scope[name]] + ([scope[f"{name}_sync"]] if blocking is not None else [])
    for function in functions:
        if owner is not None:
            function.__qualname__ = f"{owner.__name__}.{function.__name__}"
    return functions


_STREAM_TEMPLATE = """\
def {name}_async(self, {parameters}io_priority={priority}, cancellable=None, callback=None,
                 *user_data):
    "Calls {symbol}(); without a callback it returns an awaitable, of what the finish returns."
{conversions}
    if callback is not None:
        return start(self, {arguments}io_priority, cancellable, callback, *user_data)
    return begin(finish, start, (self, {arguments}), io_priority, cancellable, GIO)
"""


def make_awaitable(name, start, finish, owner):
    """A method of Gio's that can do without its callback, as in PyGObject 3.50 and later."""
    names = _argument_names(start)[:-len(_LAST)]
    source = _STREAM_TEMPLATE.format(
        name=name,
        symbol=start.get_symbol(),
        priority=int(GLib.PRIORITY_DEFAULT),
        parameters="".join(f"{argument}, " for argument in names),
        arguments="".join(f"{argument}, " for argument in names),
        conversions="    bytes = to_glib_bytes(bytes)" if "bytes" in names else "",
    )
    scope = {
        "GIO": _GIO,
        "__name__": "gi.repository.Gaio",
        "begin": begin,
        "finish": finish,
        "start": start,
        "to_glib_bytes": to_glib_bytes,
    }
    exec(compile(source, f"<Gaio {name}_async>", "exec"), scope)
    function = scope[f"{name}_async"]
    function.__qualname__ = f"{owner.__name__}.{function.__name__}"
    return function


def begin(finish, start, arguments, io_priority, cancellable, where=None):
    """What the template does, for an operation with a finish of its own."""
    loop = asyncio._get_running_loop()
    if loop is None:
        operation = GLibOperation(finish, cancellable, where)
        start(*arguments, io_priority, operation._cancellable, operation._ended)
    else:
        pump = get_pump(loop)
        operation = AsyncioOperation(finish, cancellable, where, loop, pump)
        start(*arguments, io_priority, operation._cancellable, operation._ended)
        if not pump.reading:
            pump.read()
        if where is _GIO:
            # What fails at once is a source of GLib's by now, which the loop does not see.
            pump.context.notify()
    return operation


def _argument_names(function):
    """What Python passes: the length of an array is not an argument there."""
    arguments = function.get_arguments()
    # PyGObject has changed the name.
    get_type = "get_type_info" if hasattr(arguments[0], "get_type_info") else "get_type"
    types = [getattr(argument, get_type)() for argument in arguments]
    lengths = {of_array.get_array_length() for of_array in types
               if of_array.get_tag_as_string() == "array"}
    return [argument.get_name() for place, argument in enumerate(arguments)
            if place not in lengths]


def _returns_bytes(function):
    """"one" or "many" when the function returns GLib.Bytes, else None."""
    returns = function.get_return_type()
    count = "one"
    if returns.get_tag_as_string() == "array":
        returns = returns.get_param_type(0)
        count = "many"
    if returns.get_tag_as_string() == "interface" and returns.get_interface().get_name() == "Bytes":
        return count
    return None


def raising_os_errors(function, owner):
    """The function with OSError for GLib.Error, and with paths of any kind."""
    names = [argument.get_name() for argument in function.get_arguments()]
    path_at = names.index("path") if "path" in names else None
    is_method = function.is_method()
    if not is_method and owner is not None:
        function = getattr(owner, function.__name__)  # a constructor wants to know its class

    def call(*arguments, **keywords):
        path = None
        if path_at is not None:
            if keywords.get("path") is not None:
                path = keywords["path"] = to_path(keywords["path"])
            elif len(arguments) > path_at and arguments[path_at] is not None:
                arguments = list(arguments)
                path = arguments[path_at] = to_path(arguments[path_at])
        try:
            return function(*arguments, **keywords)
        except GLib.Error as error:
            raise os_error(error, path) from error

    call.__name__ = function.__name__
    call.__qualname__ = f"{owner.__name__}.{call.__name__}" if owner is not None else call.__name__
    call.__doc__ = function.__doc__
    call.__module__ = "gi.repository.Gaio"
    return call if is_method or owner is None else staticmethod(call)
