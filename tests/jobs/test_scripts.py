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
if words[:3] == ["-m", "pip", "wheel"]:
    open(os.path.join(words[words.index("--wheel-dir") + 1], "jaxzc-0.1.0-py3-none-any.whl"), "w").close()
if words[:1] == ["-c"] and not os.path.exists("prepared"):  # the data set, which the second attempt finds
    open("prepared", "w").close()
    sys.exit(1)
if name == "gcloud" and "--command" in words:  # on the worker
    sys.exit(subprocess.run(["bash", "-c", words[words.index("--command") + 1]]).returncode)
if name == "srun":
    sys.exit(subprocess.run([word for word in words if not word.startswith("--kill")]).returncode)
"""


@pytest.fixture
def stand_ins(here: Path) -> dict[str, str]:
    folder = here / "bin"
    folder.mkdir()
    for name in ("gcloud", "python3", "srun", "jaxzc"):
        (folder / name).write_text(RECORD.format(python=sys.executable))
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def run(environment: dict[str, str], script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", SCRIPTS / script, *arguments], env=environment, capture_output=True, text=True, check=False)


def calls() -> list[list[str]]:
    return [json.loads(line) for line in Path("calls.jsonl").read_text().splitlines()]


HOSTS = ["--zone", "us-central2-b", "--worker=all"]


def test_tpu_pod(stand_ins: dict[str, str]) -> None:
    """The wheel of this checkout, and the file of images, on every host; then the job."""
    done = run(stand_ins, "tpu_pod.sh", "my-slice", "us-central2-b", "gs://bucket/a night", *SPACE, "--data", "npz:some where/cifar.npz")
    assert done.returncode == 0, done.stderr
    wheel, folder, copy, ssh, pip, jaxzc = calls()
    assert wheel[:6] == ["python3", "-m", "pip", "wheel", "--quiet", "--no-deps"]
    assert Path(wheel[-1]) == SCRIPTS.parent
    assert folder == ["gcloud", "compute", "tpus", "tpu-vm", "ssh", "my-slice", "--command", "mkdir -p jaxzc-pod", *HOSTS]
    assert copy[:6] == ["gcloud", "compute", "tpus", "tpu-vm", "scp", "some where/cifar.npz"]
    assert [Path(word).name for word in copy[6:8]] == ["jaxzc-0.1.0-py3-none-any.whl", "my-slice:jaxzc-pod"]
    assert (ssh[4:6], ssh[-3:]) == (["ssh", "my-slice"], HOSTS)
    assert pip == ["python3", "-m", "pip", "install", "--quiet", "--upgrade", "jaxzc-pod/jaxzc-0.1.0-py3-none-any.whl[tpu,cloud]"]
    data = ["--data", "npz:jaxzc-pod/cifar.npz"]
    assert jaxzc[:4] == ["python3", "-m", "jaxzc", "score"]
    assert jaxzc[4:] == [*SPACE, *data, "--distributed", "--devices", "all", "--quiet", "--out", "gs://bucket/a night"]
    known = parser().parse_args(jaxzc[3:])  # the options exist
    assert (known.distributed, known.out, known.proxies) == (True, "gs://bucket/a night", SPACE[3])


def test_tpu_pod_prepares_a_data_set_and_takes_another_package(stand_ins: dict[str, str]) -> None:
    environment = {**stand_ins, "PACKAGE": "git+https://example.com/jaxzc", "CACHE": "gs://bucket/programs"}
    call = ("my-slice", "us-central2-b", "gs://bucket/night", *SPACE, "--data=tfds:cifar10")
    done = run(environment, "tpu_pod.sh", *call)
    assert done.returncode == 0, done.stderr
    words = [line for line in calls() if line[0] == "python3"]
    assert words[0][-1] == "git+https://example.com/jaxzc"
    assert words[1] == words[3] == ["python3", "-c", "import tensorflow_datasets as tfds; tfds.data_source('cifar10')"]
    assert words[2][-1] == "tensorflow"
    assert words[4][4:] == [*SPACE, "--data", "tfds:cifar10", *words[4][-6:]]
    before = len(calls())
    dry = run({**environment, "DRY_RUN": "1"}, "tpu_pod.sh", *call)
    _, line = dry.stdout.splitlines()
    assert "JAX_COMPILATION_CACHE_DIR=gs://bucket/programs" in shlex.split(line)[7]
    assert len(calls()) == before


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
