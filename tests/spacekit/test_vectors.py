import itertools

import numpy as np
import pytest

from jaxzc.spacekit.vectors import check_vector, check_vectors, enumerate_vectors, mutate_vectors, neighbours_of, sample_vectors
from jaxzc.types import JaxzcError

CHOICES = (3, 1, 4, 2)
HUGE = (5,) * 40  # 5**40 overflows int64


def rng(seed=0):
    return np.random.default_rng(seed)


def test_enumerate_is_lexicographic_and_complete():
    archs = enumerate_vectors(CHOICES)
    assert archs.dtype == np.int32
    assert archs.tolist() == [list(arch) for arch in itertools.product(*map(range, CHOICES))]


def test_enumerate_refuses_a_space_too_large_to_list():
    with pytest.raises(JaxzcError, match=r"9,094,947,017,729,282,379,150,390,625 architectures, too many to list .*sample it instead"):
        enumerate_vectors(HUGE)


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("choices", [CHOICES, (5,) * 6, HUGE])
def test_sample_is_valid_and_depends_on_the_seed_only(choices, distinct):
    archs = sample_vectors(choices, rng(), 20, distinct=distinct)
    assert archs.dtype == np.int32
    assert archs.shape == (20, len(choices))
    check_vectors(choices, archs)
    np.testing.assert_array_equal(archs, sample_vectors(choices, rng(), 20, distinct=distinct))
    assert (archs != sample_vectors(choices, rng(1), 20, distinct=distinct)).any()


def test_sample_is_uniform():
    n, size = 48_000, 24
    _, counts = np.unique(sample_vectors(CHOICES, rng(), n), axis=0, return_counts=True)
    assert counts.size == size
    assert np.abs(counts - n / size).max() < 5 * np.sqrt(n / size)


def test_distinct_sample_is_uniform_over_architectures_and_positions():
    draws = np.stack([sample_vectors((2, 3), rng(seed), 2, distinct=True) for seed in range(3000)])
    for position in (0, 1):
        _, counts = np.unique(draws[:, position], axis=0, return_counts=True)
        assert counts.size == 6
        assert np.abs(counts - 500).max() < 5 * np.sqrt(500)


def test_distinct_sample_of_the_size_of_the_space_is_the_space_in_random_order():
    archs = sample_vectors(CHOICES, rng(), 24, distinct=True)
    np.testing.assert_array_equal(np.unique(archs, axis=0), enumerate_vectors(CHOICES))
    assert (archs != enumerate_vectors(CHOICES)).any()


def test_distinct_sample_of_a_huge_space_draws_repeats_again():
    class Repeating(np.random.Generator):
        """Its first draw is one architecture only."""

        calls = 0

        def integers(self, *args, **kwargs):
            self.calls += 1
            drawn = super().integers(*args, **kwargs)
            return drawn if self.calls > 1 else np.zeros_like(drawn)

    repeating = Repeating(np.random.PCG64(0))
    archs = sample_vectors(HUGE, repeating, 9, distinct=True)
    assert repeating.calls == 2
    assert len(np.unique(archs, axis=0)) == 9
    assert not archs[0].any()


def test_sample_of_none_is_empty():
    assert sample_vectors(CHOICES, rng(), 0).shape == (0, 4)
    assert sample_vectors(HUGE, rng(), 0, distinct=True).shape == (0, 40)


@pytest.mark.parametrize(
    ("n", "message"),
    [(25, r"25 distinct architectures from a space of 24; expected 0 <= n <= 24"), (-1, r"n = -1 architectures; expected n >= 0")],
)
def test_sample_refuses_impossible_numbers(n, message):
    with pytest.raises(JaxzcError, match=message):
        sample_vectors(CHOICES, rng(), n, distinct=True)


@pytest.mark.parametrize("call", [lambda: sample_vectors(CHOICES, 7, 1), lambda: mutate_vectors(CHOICES, 7, [[0, 0, 0, 0]])])  # type: ignore[arg-type]
def test_a_seed_instead_of_a_generator_is_explained(call):
    with pytest.raises(JaxzcError, match=r"rng is 7; expected a numpy.random.Generator, for example numpy.random.default_rng"):
        call()


def test_mutate_changes_one_gene_of_each_row_and_not_its_input():
    archs = sample_vectors(CHOICES, rng(), 500)
    before = archs.copy()
    mutated = mutate_vectors(CHOICES, rng(1), archs)
    np.testing.assert_array_equal(archs, before)
    assert mutated.dtype == np.int32
    check_vectors(CHOICES, mutated)
    np.testing.assert_array_equal((mutated != archs).sum(axis=1), 1)
    np.testing.assert_array_equal(mutated, mutate_vectors(CHOICES, rng(1), archs))


def test_mutate_is_uniform_over_genes_then_values():
    n = 30_000
    mutated = mutate_vectors(CHOICES, rng(), np.tile([1, 0, 2, 0], (n, 1)))
    found, counts = np.unique(mutated, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, np.unique(neighbours_of(CHOICES, [1, 0, 2, 0]), axis=0))
    changed = (found != [1, 0, 2, 0]).argmax(axis=1)
    expected = n / 3 / (np.array(CHOICES) - 1)[changed]
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_mutate_of_no_rows_is_empty():
    assert mutate_vectors(CHOICES, rng(), np.zeros((0, 4), int)).shape == (0, 4)


def test_mutate_refuses_a_space_without_a_choice():
    with pytest.raises(JaxzcError, match=r"choices \(1, 1\) has one architecture only"):
        mutate_vectors((1, 1), rng(), np.array([[0, 0]]))


def test_mutate_reaches_all_values_but_its_own():
    assert set(mutate_vectors((128,), rng(), np.full((5000, 1), 127))[:, 0].tolist()) == set(range(127))


def test_neighbours_are_all_one_gene_changes_in_order():
    neighbours = neighbours_of(CHOICES, [1, 0, 2, 0])
    assert neighbours.dtype == np.int32
    assert neighbours.tolist() == [[0, 0, 2, 0], [2, 0, 2, 0], [1, 0, 0, 0], [1, 0, 1, 0], [1, 0, 3, 0], [1, 0, 2, 1]]
    assert neighbours_of((1, 1), [0, 0]).shape == (0, 2)


def test_check_returns_int32():
    checked = check_vectors(CHOICES, np.array([[2, 0, 3, 1]]))
    assert checked.dtype == np.int32
    assert checked.tolist() == [[2, 0, 3, 1]]
    assert check_vector(CHOICES, np.array([2, 0, 3, 1], np.uint16)).tolist() == [2, 0, 3, 1]


@pytest.mark.parametrize(
    ("archs", "message"),
    [
        ([[0, 0, 0, 0], [0, 0, 4, 0]], r"gene 2 of architecture 1 is 4; expected 0 \.\. 3"),
        ([[0, -1, 0, 0]], r"gene 1 of architecture 0 is -1; expected 0 \.\. 0"),
        ([[0, 0, 256, 0]], r"gene 2 of architecture 0 is 256; expected 0 \.\. 3"),
        ([[0, 0, 0]], r"shape \[1, 3\]; expected \[n, 4\], one row per architecture$"),
        ([0, 0, 0, 0], r"shape \[4\]; expected \[n, 4\], .*; give archs\[None\] for a single architecture"),
        ([[0.0, 0.0, 0.0, 0.0]], r"dtype float64; expected integers, 4 for each"),
        ([[True, False, True, True]], r"dtype bool; expected integers"),
        ([[0, 0, 0, 0], [0]], r"\[\[0, 0, 0, 0\], \[0\]\] have rows of different lengths; expected 4 integers in each"),
        ("|none~0|", r"got the text '\|none~0\|' .*with the space's parse\(\) first"),
    ],
)
def test_check_names_what_is_wrong(archs, message):
    with pytest.raises(JaxzcError, match=message):
        check_vectors(CHOICES, archs)


@pytest.mark.parametrize(
    ("arch", "message"),
    [([0, 0, 9, 0], r"gene 2 .* is 9; expected 0 \.\. 3"), ([[0, 0, 0, 0]], r"has shape \[1, 4\]; expected \[4\], one integer per gene")],
)
def test_functions_of_one_architecture_check_it(arch, message):
    with pytest.raises(JaxzcError, match=message):
        neighbours_of(CHOICES, arch)


@pytest.mark.parametrize("choices", [(), (3, 0), (2**31,)])
def test_unusable_choices_are_named(choices):
    with pytest.raises(JaxzcError, match=r"choices are \(.*\); expected one count per gene, each in 1 \.\. 2147483647"):
        enumerate_vectors(choices)
