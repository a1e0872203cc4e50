"""What a job is: settings that all its scores share, and what has been asked of it so far.

job.json                 the settings; scores of other settings never come into the same directory
requests/DIGEST.parquet  one request: architectures, and for each the one scored in its place; proxies, seeds and digests of their images

A score is named by the settings, the architecture's official string, the seed with its images, and the proxy's identity
(`jaxzc.catalogue.selection.identity`). A request adds;
what is there already is not scored again.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jaxzc._durable import parquet
from jaxzc._durable.store import Store
from jaxzc.types import JaxzcError

MANIFEST, REQUESTS = "job.json", "requests"
FORMAT = 1
"""Raised when files of older jobs could be misread."""

KEY = b"jaxzc"


@dataclass(frozen=True)
class Request:
    """archs: official strings; scored: for each, the architecture whose scores it gets (itself, or an isomorphic one). labels: label ->
    identity. seeds: seed -> digest of its images. about: further facts for the record (JSON)."""

    archs: Sequence[str]
    scored: Sequence[str]
    labels: Mapping[str, str]
    seeds: Mapping[int, str]
    about: Mapping[str, Any] = field(default_factory=dict)
    created: float = 0.0

    @property
    def digest(self) -> str:
        text = json.dumps([list(self.archs), list(self.scored), list(self.labels.items()), list(self.seeds.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def settings_digest(facts: Mapping[str, object]) -> str:
    """16 hex digits: every part of a job says which settings it was made with."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def read_settings(store: Store) -> dict[str, Any] | None:
    """The settings of the job, None where there is none. Raises `JaxzcError` where the file is damaged."""
    try:
        content = json.loads(store.read(MANIFEST))
        if not isinstance(content, dict) or not isinstance(content["settings"], dict):
            raise ValueError("not what jaxzc writes")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError) as error:
        raise JaxzcError(f"{store.where}/{MANIFEST} is damaged ({error}): choose another directory, or delete this one") from error
    return content["settings"]


def begin(store: Store, facts: Mapping[str, object], request: Request) -> None:
    """Begins the job, or adds the request to it. `facts` are the settings (JSON).

    Raises `JaxzcError`, which names what differs: the job has other settings, or other images for a seed.
    """
    facts = json.loads(json.dumps({"format": FORMAT, **facts}))
    stored = read_settings(store)
    if stored is None:
        store.create(MANIFEST, json.dumps({"settings": facts}, indent=1).encode())
        stored = read_settings(store) or facts  # of another process that was first
    check(store.where, stored, facts)
    known = requests(store)
    for seed, digest in request.seeds.items():
        for other in known:
            if other.seeds.get(seed, digest) != digest:
                raise JaxzcError(
                    f"{store.where} holds scores on other images for seed {seed} (digest {other.seeds[seed]}, not {digest}): "
                    "choose another directory, or give the same data"
                )
    if known and not any(request.seeds.keys() & other.seeds.keys() for other in known):
        check(store.where, {"data": known[0].about.get("data")}, {"data": request.about.get("data")})
    if request.digest not in {other.digest for other in known}:
        store.write(f"{REQUESTS}/{request.digest}.parquet", _to_bytes(request))


def check(where: str, stored: Mapping[str, object], facts: Mapping[str, object]) -> None:
    """Raises `JaxzcError` that names the first setting in which two jobs differ."""
    for name in {**stored, **facts}:
        old, new = stored.get(name), facts.get(name)
        if old != new:
            raise JaxzcError(
                f"{where} holds a job with {name} {_words(old)}, not {_words(new)}: choose another --out, or the same settings"
            )


def _words(value: object) -> str:
    return ", ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, Mapping) else repr(value)


def requests(store: Store) -> list[Request]:
    """All that was asked of the job, in the order in which it was asked. Raises `JaxzcError` where one is damaged."""
    entries = []
    for name in store.names(REQUESTS):
        if not name.endswith(".parquet"):
            continue
        try:
            table = parquet.read(store.read(f"{REQUESTS}/{name}"))
            facts = json.loads((table.schema.metadata or {})[KEY])
            seeds = {int(seed): digest for seed, digest in facts["seeds"].items()}
            request = Request(
                table["arch"].to_pylist(), table["scored"].to_pylist(), facts["labels"], seeds, facts["about"], facts["created"]
            )
        except FileNotFoundError:
            continue
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise JaxzcError(f"{store.where}/{REQUESTS}/{name} is damaged ({error}): delete it, and run its command again") from error
        entries.append(request)
    return sorted(entries, key=lambda r: (r.created, r.digest))


def _to_bytes(request: Request) -> bytes:
    facts = {
        "labels": dict(request.labels),
        "seeds": dict(request.seeds),
        "about": dict(request.about),
        "created": request.created or time.time(),
    }
    table = pa.table({"arch": list(request.archs), "scored": list(request.scored)}).replace_schema_metadata(
        {KEY: json.dumps(facts).encode()}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()
