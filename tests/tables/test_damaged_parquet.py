"""A damaged Parquet file is an error and nothing else: no thread of Arrow's is left, which would abort the process at its exit."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

READS = """
import os, sys
from jaxzc._durable import parquet

def threads():
    return len(os.listdir("/proc/self/task"))

content, before = open(sys.argv[1], "rb").read(), threads()
try:
    parquet.read(content)
except OSError as error:
    print(error)
print(threads() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted as Linux lists them")
def test_no_thread_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"arch": [f"{number % 97} of {number}" for number in range(5000)]}), path, compression="zstd")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(bytes(content))
    result = subprocess.run([sys.executable, "-c", READS, path], capture_output=True, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})
    said, left = result.stdout.splitlines()
    assert "decompression" in said
    assert left == "0"
    assert result.returncode == 0
