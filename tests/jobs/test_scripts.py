"""The launch scripts, with stand-ins for gcloud, pip, srun and jaxzc that write down how they were called."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jaxzc.cli import hosts, parser

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SPACE = ["nasbench201", "--all", "--proxies", "zico(std_of='abs'),naswot", "--set", "channels=4"]
RECORD = """#!{python}
import json, os, subprocess, sys
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
open("calls.jsonl", "a").write(json.dumps([name, *words]) + "\\n")
if name == "gcloud":  # on the worker
    sys.exit(subprocess.run(["bash", "-c", words[words.index("--command") + 1]]).returncode)
if name == "srun":
    sys.exit(subprocess.run([word for word in words if not word.startswith("--kill")]).returncode)
"""


@pytest.fixture
def stand_ins(here: Path) -> dict[str, str]:
    folder = here / "bin"
    folder.mkdir()
    for name in ("gcloud", "pip", "srun", "jaxzc"):
        (folder / name).write_text(RECORD.format(python=sys.executable))
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def run(environment: dict[str, str], script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", SCRIPTS / script, *arguments], env=environment, capture_output=True, text=True, check=False)


def calls() -> list[list[str]]:
    return [json.loads(line) for line in Path("calls.jsonl").read_text().splitlines()]


def test_tpu_pod(stand_ins: dict[str, str]) -> None:
    call = ("my-slice", "us-central2-b", "gs://bucket/a night", *SPACE)
    done = run(stand_ins, "tpu_pod.sh", *call)
    assert done.returncode == 0, done.stderr
    gcloud, pip, jaxzc = calls()
    assert gcloud[:9] == ["gcloud", "compute", "tpus", "tpu-vm", "ssh", "my-slice", "--zone", "us-central2-b", "--worker=all"]
    assert pip == ["pip", "install", "--quiet", "--upgrade", "jaxzc[tpu,cloud]"]
    assert jaxzc == ["jaxzc", "score", *SPACE, "--distributed", "--devices", "all", "--quiet", "--out", "gs://bucket/a night"]
    known = parser().parse_args(jaxzc[1:])  # the options exist
    assert (known.distributed, known.out, known.proxies) == (True, "gs://bucket/a night", SPACE[3])
    dry = run({**stand_ins, "DRY_RUN": "1", "PACKAGE": "git+https://example.com/jaxzc"}, "tpu_pod.sh", *call)
    (line,) = dry.stdout.splitlines()
    assert shlex.split(line)[:9] == gcloud[:9]
    assert "git+https://example.com/jaxzc" in line
    assert len(calls()) == 3


def test_slurm(stand_ins: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(stand_ins, "slurm.sh", "/shared/a night", *SPACE)
    assert done.returncode == 0, done.stderr
    srun, jaxzc = calls()
    assert srun[:2] == ["srun", "--kill-on-bad-exit=0"]
    assert jaxzc == ["jaxzc", "score", *SPACE, "--stripe", "slurm", "--quiet", "--out", "/shared/a night"]
    monkeypatch.setenv("SLURM_PROCID", "5")
    monkeypatch.setenv("SLURM_NTASKS", "8")
    stripe = hosts.stripe(parser().parse_args(jaxzc[1:]).stripe)
    assert (stripe.index, stripe.count) == (5, 8)
    dry = run({**stand_ins, "DRY_RUN": "1"}, "slurm.sh", "/shared/a night", *SPACE)
    assert shlex.split(dry.stdout) == srun
    assert len(calls()) == 2


@pytest.mark.parametrize("script", ["tpu_pod.sh", "slurm.sh"])
def test_without_arguments_they_say_how(stand_ins: dict[str, str], script: str) -> None:
    done = run(stand_ins, script)
    assert done.returncode == 2
    assert script in done.stderr
    assert not Path("calls.jsonl").exists()
