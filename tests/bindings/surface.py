# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""States the whole public surface of the typelib, one name a line, and compares it with what
surface.txt says it is.

    surface.py Gaio-1.0.gir surface.txt            compares; TAP
    surface.py Gaio-1.0.gir surface.txt --write    writes surface.txt anew

What is in a line: arguments with their types, `?` for those that may be null, `!` behind the
function that can fail, and who owns what is handed over. A change here is a change that every
user of every language sees; an incompatible one needs a new version of the namespace.
"""

import difflib
import sys
import xml.etree.ElementTree as ElementTree

CORE = "{http://www.gtk.org/introspection/core/1.0}"
C = "{http://www.gtk.org/introspection/c/1.0}"
GLIB = "{http://www.gtk.org/introspection/glib/1.0}"


def is_public(node):
    return node.get("introspectable") != "0"


def type_name(node):
    array = node.find(CORE + "array")
    if array is not None:
        return f"array of {type_name(array)}"
    kind = node.find(CORE + "type")
    if kind is None:
        return "..."
    inner = [type_name(node) for node in [kind] if kind.find(CORE + "type") is not None]
    return kind.get("name", "?") + (f"<{inner[0]}>" if inner else "")


def value(node):
    text = type_name(node)
    if node.get("nullable") == "1":
        text += "?"
    if node.get("transfer-ownership") in ("full", "container"):
        text += " (transfer)"
    if node.get("direction", "in") != "in":
        text = f"{node.get('direction')} {text}"
    return text


def argument(node):
    text = f"{node.get('name')}: {value(node)}"
    if node.get("scope"):
        text += f" ({node.get('scope')})"
    return text


def signature(node):
    parameters = node.find(CORE + "parameters")
    arguments = [] if parameters is None else parameters.findall(CORE + "parameter")
    returns = node.find(CORE + "return-value")
    text = "(" + ", ".join(argument(each) for each in arguments) + ")"
    if returns is not None and type_name(returns) != "none":
        text += " -> " + value(returns)
    return text + (" !" if node.get("throws") == "1" else "")


def describe(namespace):
    """All lines, in the order of the names."""
    for node in sorted(namespace, key=lambda each: each.get("name", "")):
        kind = node.tag.replace(CORE, "").replace(GLIB, "")
        name = node.get("name")
        if not is_public(node) or node.get(GLIB + "is-gtype-struct-for"):
            continue
        if kind == "function":
            yield f"function {name}{signature(node)}"
        elif kind == "callback":
            yield f"callback {name}{signature(node)}"
        elif kind == "constant":
            yield f"constant {name} = {node.get('value')}"
        elif kind == "alias":
            yield f"alias {name} = {type_name(node)}"
        elif kind in ("enumeration", "bitfield"):
            domain = node.get(GLIB + "error-domain")
            yield f"{kind} {name}" + (f" of errors in {domain}" if domain else "")
            for member in node.findall(CORE + "member"):
                yield f"  {member.get('name')} = {member.get('value')}"
            yield from members(node)
        elif kind in ("class", "interface", "record", "union", "boxed"):
            parent = f" : {node.get('parent')}" if node.get("parent") else ""
            interfaces = [each.get("name") for each in node.findall(CORE + "implements")]
            yield f"{kind} {name}{parent}" + "".join(f", {each}" for each in interfaces)
            yield from members(node)


def members(node):
    lines = []
    for word in ("constructor", "method", "function", "virtual-method"):
        for each in node.findall(CORE + word):
            if is_public(each):
                lines.append(f"  {word} {each.get('name')}{signature(each)}")
    for each in node.findall(CORE + "property"):
        if is_public(each):
            access = [word for word, there in (
                ("read", each.get("readable") != "0"),
                ("write", each.get("writable") == "1" and each.get("construct-only") != "1"),
                ("construct", each.get("construct-only") == "1")) if there]
            lines.append(f"  property {each.get('name')}: {type_name(each)} ({', '.join(access)})")
    for each in node.findall(GLIB + "signal"):
        lines.append(f"  signal {each.get('name')}{signature(each)}")
    for each in node.findall(CORE + "field"):
        if is_public(each) and each.get("private") != "1":
            lines.append(f"  field {each.get('name')}: {type_name(each)}")
    return sorted(lines)


def names_in_typelib():
    """What the languages see: the typelib can hold no more than the GIR says."""
    import gi
    gi.require_version("Gaio", "1.0")
    from gi.repository import Gaio  # noqa: F401
    return {info.get_name() for info in gi.Repository.get_default().get_infos("Gaio")}


def main():
    gir, expected_path, *rest = sys.argv[1:]
    namespace = ElementTree.parse(gir).getroot().find(CORE + "namespace")
    lines = list(describe(namespace))
    if rest == ["--write"]:
        with open(expected_path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return 0

    with open(expected_path, encoding="utf-8") as file:
        expected = file.read().splitlines()
    difference = list(difflib.unified_diff(expected, lines, "surface.txt", "the library now", n=2,
                                           lineterm=""))
    print("TAP version 13\n1..2")
    print("not ok" if difference else "ok", 1, "the surface is what surface.txt says")
    if difference:
        for line in difference:
            print("#", line)
        print("# If this is meant: ninja -C BUILD update-surface, and commit surface.txt.")

    told = {line.split()[1].split("(")[0] for line in lines if not line.startswith(" ")}
    unknown = {name for name in names_in_typelib() - told if not name.endswith("Class")}
    print("not ok" if unknown else "ok", 2, "the typelib holds nothing else")
    for name in sorted(unknown):
        print("#", name)
    return 1 if difference or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
