#!/usr/bin/env bash
#SBATCH --job-name=jaxzc
#SBATCH --ntasks=4
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@60
# Scores a search space in as many stripes as there are tasks. Submit it again, or let it be requeued: it goes on where it stopped.
#
#   sbatch --ntasks=8 --gpus-per-task=1 scripts/slurm.sh /shared/night nasbench201 --all --data tfds:cifar10 --proxies zico,naswot
#
# The directory must be one that all nodes see. The tasks need nothing of each other: one that dies takes no other with it, and its stripe
# is finished by the next submission. DRY_RUN=1 prints the command instead of running it.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: sbatch [OPTIONS] slurm.sh DIR SPACE [OPTIONS OF jaxzc score]" >&2; exit 2; }
out=$1
shift

command=(srun --kill-on-bad-exit=0 jaxzc score "$@" --stripe slurm --quiet --out "$out")
if [ -n "${DRY_RUN:-}" ]; then printf '%q ' "${command[@]}"; echo; else exec "${command[@]}"; fi
