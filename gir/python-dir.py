# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Prints where below a prefix Python looks for packages. Run by meson with the prefix.

A directory that this Python does look into is best: the overrides are then found without any
environment variable. Under any other prefix PYTHONPATH must name the directory.
"""

import os
import site
import sys

import gi

prefix = os.path.normpath(sys.argv[1])
home_of_gi = os.path.dirname(os.path.dirname(os.path.abspath(gi.__file__)))

for directory in [home_of_gi, *site.getsitepackages()]:
    below = os.path.relpath(directory, prefix)
    # /usr/local is below /usr, but not its own.
    if below.split(os.sep)[0] in ("lib", "lib64"):
        print(below)
        break
else:
    if os.path.basename(home_of_gi) == "dist-packages":
        print("lib/python3/dist-packages")
    else:
        print("lib/python{}.{}/site-packages".format(*sys.version_info))
