#!/usr/bin/env bash
# Scores a search space on every host of a TPU pod slice. Run it again after a pre-emption: it goes on where it stopped.
#
#   scripts/tpu_pod.sh my-slice us-central2-b gs://bucket/night nasbench201 --all --data npz:cifar10.npz --proxies zico,naswot
#
# It builds a wheel of the checkout that it lies in, copies it and the file of --data npz:FILE to every host, installs it there, prepares the
# data set of --data tfds:NAME, joins the hosts, and scores on each its own stripe on its own chips. PACKAGE names another jaxzc, such as a
# git+https address; PYTHON another Python of the hosts (3.11 or later); CACHE a directory that all hosts see (gs://bucket/programs), in which
# compiled programs are kept: an earlier run's, or those that jaxzc plan --write has written. DRY_RUN=1 prints the commands instead of running them. Afterwards, anywhere:
# jaxzc merge gs://bucket/night --out FILE. What the slice has to do is known before there is one: jaxzc plan SPACE --topology v5e:4x4.
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
slice=$1 zone=$2 out=$3
shift 3

python=${PYTHON:-python3} root=$(cd "$(dirname "$0")/.." && pwd)
run() { if [ -n "${DRY_RUN:-}" ]; then printf '%q ' "$@"; echo; else "$@"; fi; }
on_hosts() { run gcloud compute tpus tpu-vm "$1" "${@:2}" --zone "$zone" --worker=all; }

files=() arguments=() prepare=true previous=
for argument in "$@"; do
  argument=${argument#--data=} # both spellings of the option
  [ "$argument" = "${argument#npz:}" ] && [ "$argument" = "${argument#tfds:}" ] || [ "$previous" = --data ] || arguments+=(--data)
  case $argument in
    npz:*) files+=("${argument#npz:}") && argument=npz:jaxzc-pod/$(basename "${argument#npz:}") ;;
    tfds:*)
      name=${argument#tfds:}
      code="import tensorflow_datasets as tfds; tfds.data_source('$name')"
      # Preparing needs TensorFlow, reading does not: it is installed only where the data set is not there yet.
      prepare="$python -c $(printf %q "$code") || { $python -m pip install --quiet tensorflow && $python -c $(printf %q "$code"); }"
      ;;
  esac
  arguments+=("$argument")
  previous=$argument
done

if [ -n "${PACKAGE:-}" ]; then
  package=$PACKAGE
else
  wheels=$(mktemp -d)
  trap 'rm -rf "$wheels"' EXIT
  run "$python" -m pip wheel --quiet --no-deps --wheel-dir "$wheels" "$root"
  files+=("$wheels"/jaxzc-*.whl)
  package=jaxzc-pod/$(basename "$wheels"/jaxzc-*.whl)[tpu,cloud]
fi
on_hosts ssh "$slice" --command "mkdir -p jaxzc-pod"
[ ${#files[@]} -eq 0 ] || on_hosts scp "${files[@]}" "$slice:jaxzc-pod/"
cache=${CACHE:+JAX_COMPILATION_CACHE_DIR=$(printf %q "$CACHE") }
install="$python -m pip install --quiet --upgrade $(printf %q "$package")"
score="$cache$python -m jaxzc score$(printf ' %q' "${arguments[@]}") --distributed --devices all --quiet --out $(printf %q "$out")"
on_hosts ssh "$slice" --command "$install && { $prepare; } && $score"
