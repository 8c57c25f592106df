#!/usr/bin/env python3
"""Print the SHA-256 of a file, with all its blocks being read at once."""
import asyncio
import hashlib
import sys

import gi
gi.require_version("Gaio", "1.0")
from gi.repository import Gaio

BLOCK = 256 * 1024


async def sha256(path):
    digest = hashlib.sha256()
    async with await Gaio.open(path, "r") as f:
        size = (await f.query_info("standard::size")).get_size()
        reads = [f.read_bytes(offset, BLOCK) for offset in range(0, size, BLOCK)]
        for data in await asyncio.gather(*reads):
            digest.update(data)
    return digest.hexdigest()


try:
    print(asyncio.run(sha256(sys.argv[1])), "", sys.argv[1])
except OSError as error:
    sys.exit(f"sha256.py: {error}")
