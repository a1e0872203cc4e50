#!/usr/bin/env bash
# Scores a search space on every host of a TPU pod slice. Run it again after a pre-emption: it goes on where it stopped.
#
#   scripts/tpu_pod.sh my-slice us-central2-b gs://bucket/night nasbench201 --all --data tfds:cifar10 --proxies zico,naswot
#
# Each host installs jaxzc, joins the others, and scores its own stripe on its own chips. PACKAGE names another jaxzc (a wheel, a
# git+https address); DRY_RUN=1 prints the command instead of running it. Afterwards, anywhere: jaxzc merge gs://bucket/night --out FILE.
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
slice=$1 zone=$2 out=$3
shift 3

install="pip install --quiet --upgrade $(printf %q "${PACKAGE:-jaxzc[tpu,cloud]}")"
score="jaxzc score$(printf ' %q' "$@") --distributed --devices all --quiet --out $(printf %q "$out")"
command=(gcloud compute tpus tpu-vm ssh "$slice" --zone "$zone" --worker=all --command "$install && $score")
if [ -n "${DRY_RUN:-}" ]; then printf '%q ' "${command[@]}"; echo; else exec "${command[@]}"; fi
