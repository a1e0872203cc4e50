"""NAS-Bench-101, NATS-Bench sizes and TransNAS-Bench-101 without their networks: strings, lists, isomorphism, exact counts."""

import json
from typing import Any

import numpy as np
import pytest
from jaxzc_spaces.nasbench101 import encoding as nb101
from jaxzc_spaces.nasbench101.isomorphism import canonical
from jaxzc_spaces.nasbench101.space import NasBench101
from jaxzc_spaces.nats_sss import encoding as sizes
from jaxzc_spaces.nats_sss.space import NatsSizeSpace
from jaxzc_spaces.transnas101 import encoding as tnb101
from jaxzc_spaces.transnas101.macro import TransNasMacro
from jaxzc_spaces.transnas101.micro import TransNasMicro

from jaxzc.spacekit.vectors import enumerate_vectors
from jaxzc.types import InputSpec, JaxzcError
from tests.support.golden import shared
from tests.support.reference_tables import reference_table

DIAMOND = "0110000100010000:input,conv3x3-bn-relu,maxpool3x3,output"


def full_size(space: str) -> list[dict[str, Any]]:
    """Counts of the authors' networks at their full size."""
    directory = shared("JAXZC_GOLDEN_SPACES", "../shared/golden_spaces")
    return json.loads((directory / "full_size_counts.json").read_text())["counts"][space]


@pytest.fixture(scope="module")
def benchmark101() -> tuple[np.ndarray, np.ndarray]:
    """Genes of all cells as the benchmark stores them, in the order of their hashes, and their numbers of parameters."""
    data = np.load(shared("JAXZC_SHARED", "../shared") / "data" / "nb101.npz")
    size, bits, code = data["n_vertices"].astype(int), data["edge_bits"].astype(np.int64), data["op_code"].astype(int)
    edges, ops = np.zeros((len(size), 7, 7), bool), np.full((len(size), 7), -1, np.int32)
    ops[:, 1:-1] = 0
    for n in range(2, 8):
        rows = np.flatnonzero(size == n)
        for y in range(n):
            for x in range(y):
                edges[rows, x, 6 if y == n - 1 else y] = bits[rows] >> (x + y * (y - 1) // 2) & 1
        for place, vertex in enumerate(reversed(range(1, n - 1))):
            ops[rows, vertex] = code[rows] // 3**place % 3
    return nb101.genes(nb101.Cells(edges, ops)), data["params"]


# NAS-Bench-101


def test_every_parameter_count_of_nasbench101(benchmark101: Any) -> None:
    archs, params = benchmark101
    assert len(archs) == 423_624
    np.testing.assert_array_equal(NasBench101().counts(archs).params, params)


@pytest.mark.slow
def test_the_list_of_cells_is_the_benchmarks(benchmark101: Any) -> None:
    archs, _ = benchmark101
    ours = NasBench101().enumerate()
    assert ours.shape == (423_624, 26)
    assert set(map(bytes, ours)) == set(map(bytes, archs))
    np.testing.assert_array_equal(canonical(archs), archs)


def test_representatives_and_hashes_are_the_benchmarks(benchmark101: Any) -> None:
    archs = benchmark101[0][:2000]
    np.testing.assert_array_equal(canonical(archs), archs)
    hashes = [nb101.module_hash(arch) for arch in archs]
    assert hashes == sorted(hashes), "the benchmark's rows are in the order of its hashes"
    assert len(set(hashes)) == 2000


def test_full_size_counts_of_nasbench101() -> None:
    for entry in full_size("nasbench101"):
        config, n = entry["config"], entry["resolution"]
        space = NasBench101(config["stem"], config["modules"], 10, InputSpec((n, n, 3)))
        digits = "".join(str(bit) for row in config["matrix"] for bit in row)
        counts = space.counts(space.parse(f"{digits}:{','.join(['input', *config['ops'], 'output'])}"))
        assert (counts.params[0], counts.flops[0]) == (entry["params"], entry["macs"])


def test_widths_share_the_output_and_take_the_widest_successor() -> None:
    # 1 -> 2 -> output and 3, 4 -> output: 13 = 5 + 4 + 4, and vertex 1 is as wide as vertex 2.
    edges = [(0, 1), (1, 2), (0, 3), (0, 4), (2, 6), (3, 6), (4, 6)]
    matrix = np.zeros((1, 7, 7), bool)
    matrix[0][tuple(np.array(edges).T)] = True
    widths = nb101.widths(nb101.Cells(matrix, np.full((1, 7), -1)), 13)
    assert widths.tolist() == [[0, 5, 5, 4, 4, 0, 13]]


def test_pruning_drops_what_is_on_no_path() -> None:
    # No edge leads to vertex 3.
    rows = ("011000", "000010", "000001", "000010", "000001", "000000")
    arch = nb101.parse("".join(rows) + ":input,conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,output")
    live = nb101.genes(nb101.pruned(nb101.cells(arch[None])))
    assert nb101.to_string(live[0]).endswith(":input,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,output")
    np.testing.assert_array_equal(canonical(arch[None]), canonical(live))
    assert nb101.module_hash(arch) == nb101.module_hash(live[0])
    assert NasBench101().counts(arch).params[0] == NasBench101().counts(live).params[0]


def test_strings_of_nasbench101() -> None:
    arch = nb101.parse(DIAMOND)
    assert nb101.to_string(arch) == DIAMOND
    for row in NasBench101().neighbours(arch):
        np.testing.assert_array_equal(canonical(nb101.parse(nb101.to_string(row))[None])[0], row)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0100:input,output,", r"operations are 'input,output,'; expected input, 0 of conv3x3"),
        ("010:input,output", r"the digits 0 and 1 of a square"),
        ("0200:input,output", r"the digits 0 and 1 of a square"),
        ("0000:input,output", r"no path leads from the input to the output"),
        ("0110:input,output", r"an edge leads to the same or an earlier vertex"),
        ("0" * 64 + ":input,output", r"it has 8 vertices; expected 2 to 7"),
        ("010001000:input,conv,output", r"operations are 'input,conv,output'"),
        (5, r"5 is no NAS-Bench-101 architecture"),
    ],
)
def test_malformed_cells(text: Any, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        nb101.parse(text)


def test_disconnected_cells_have_no_network() -> None:
    with pytest.raises(JaxzcError, match="no path leads from the input to the output of the cell"):
        NasBench101().network(np.zeros(26, np.int32))


@pytest.mark.slow
def test_samples_and_mutations_are_cells_of_the_benchmark() -> None:
    space, rng = NasBench101(), np.random.default_rng(0)
    archs = space.sample(rng, 200)
    table = set(map(bytes, space.enumerate()))
    mutated = space.mutate(rng, archs)
    assert set(map(bytes, mutated)) <= table
    assert (mutated != archs).any(1).all()
    assert len(set(map(bytes, archs))) == 200


# NATS-Bench sizes


def test_full_size_counts_of_nats_sss() -> None:
    space = NatsSizeSpace()
    for entry in full_size("nats_sss"):
        counts = space.counts(space.parse(entry["config"]["channels"]))
        assert (counts.params[0], counts.flops[0]) == (entry["params"], entry["macs"])


def test_sizes_are_printed_as_they_are_read() -> None:
    space = NatsSizeSpace()
    archs = space.enumerate()
    assert len(archs) == 32_768
    for arch in archs[::97]:
        np.testing.assert_array_equal(space.parse(space.to_string(arch)), arch)
    assert sizes.to_string(archs[-1]) == "64:64:64:64:64"
    assert len(space.neighbours(archs[0])) == 35


@pytest.mark.parametrize("text", ["8:8:8:8", "8:8:8:8:12", "8:8:8:8:72", "8:8:8:8:x", "0:8:8:8:8", 8])
def test_malformed_sizes(text: Any) -> None:
    with pytest.raises(JaxzcError, match="is no NATS-Bench size architecture"):
        sizes.parse(text)


# TransNAS-Bench-101


def test_full_size_counts_of_transnas101() -> None:
    for entry in full_size("transnas101"):
        config, n = entry["config"], entry["resolution"]
        make = TransNasMacro if config["arch"].endswith("basic") else TransNasMicro
        space = make(int(config["arch"].split("-")[0]), config["classes"], InputSpec((n, n, 3)))
        counts = space.counts(space.parse(config["arch"]))
        assert (counts.params[0], counts.flops[0]) == (entry["params"], entry["macs"])


@pytest.mark.parametrize("space", [TransNasMicro(), TransNasMacro()], ids=["micro", "macro"])
def test_the_lists_are_the_benchmarks(space: Any) -> None:
    published = [row["arch"] for row in reference_table(f"tnb101_{space.name.split('_')[1]}.csv.gz")]
    assert sorted(map(space.to_string, space.enumerate())) == sorted(published)
    np.testing.assert_array_equal([space.to_string(space.parse(text)) for text in published], published)


def test_macro_neighbours_and_mutations_stay_in_the_benchmark() -> None:
    space, rng = TransNasMacro(), np.random.default_rng(0)
    archs = space.sample(rng, 100)
    assert tnb101.in_benchmark(archs).all()
    mutated = space.mutate(rng, archs)
    assert tnb101.in_benchmark(mutated).all()
    assert ((mutated != archs).sum(1) == 1).all()
    assert enumerate_vectors(space.choices).shape[0] == 4**4 * 25


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (tnb101.parse_micro, "64-41414-3_33_33"),
        (tnb101.parse_micro, "64-41414-4_33_333"),
        (tnb101.parse_micro, "64-1111-3_33_333"),
        (tnb101.parse_micro, "41414-3_33_333"),
        (tnb101.parse_macro, "64-123-basic"),
        (tnb101.parse_macro, "64-1235-basic"),
        (tnb101.parse_macro, "64-1234-3_33_333"),
        (tnb101.parse_macro, "w-1234-basic"),
    ],
)
def test_malformed_transnas101(parse: Any, text: str) -> None:
    with pytest.raises(JaxzcError, match=f"'{text}' is no TransNAS-Bench-101"):
        parse(text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NasBench101(channels=4), "channels=4: expected at least 5"),
        (lambda: NasBench101(inputs=InputSpec((30, 32, 3))), "divisible by 4"),
        (lambda: NatsSizeSpace(unit=0), "unit=0: expected a positive integer"),
        (lambda: NatsSizeSpace(inputs=InputSpec((9, 8, 3))), "divisible by 4"),
        (lambda: TransNasMicro(channels=3), "channels=3: expected an even number"),
        (lambda: TransNasMacro(classes=0), "classes=0: expected a positive integer"),
        (lambda: TransNasMacro().to_string([0, 0, 0, 0, 4, 0]), "have a sixth layer and no fifth"),
        (lambda: NatsSizeSpace().program(), r"nats_sss: the key \(\): expected 5 numbers, a row of space.program_keys"),
        (lambda: NasBench101().sample(np.random.default_rng(0), -1), "cannot sample -1"),
    ],
)
def test_what_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(JaxzcError, match=message):
        make()
