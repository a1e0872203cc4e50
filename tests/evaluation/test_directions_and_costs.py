"""Directions turn scores, and costs stand beside them: from arguments, from the table, from the proxies' cards."""

import pytest

from tests.support.scored_tables import TRUTH, by_name, evaluate, of, table


def test_directions_turn_the_score() -> None:
    columns = {"ntk": [5, 4, 3, 1, 2], "zen": [1, 2, 3, 4, 5], "naswot(once=True)": [1, 2, 3, 4, 5]}
    found = evaluate(table(**columns), TRUTH, directions={"ntk": False, "zen": True})
    rows = by_name(found)
    assert (of(rows["ntk"], "spearman", "regret_1"), rows["ntk"].higher_is_better) == ((pytest.approx(0.9), 1.0), False)
    assert (rows["zen"].higher_is_better, rows["params"].higher_is_better) == (True, None)
    assert found.scores["ntk"].tolist() == [[5, 4, 3, 1, 2]]  # as scored
    names = [row.proxy for row in found.rows]
    assert found.correlation[names.index("ntk"), names.index("zen")] == pytest.approx(0.9)  # both turned
    from_cards = by_name(evaluate(table(**columns), TRUTH))
    assert [from_cards[name].higher_is_better for name in ("naswot(once=True)", "params", "ntk")] == [True, True, None]
    assert from_cards["naswot(once=True)"].cost == {"passes": 1}


def test_a_backward_pass_costs_two_forward_ones() -> None:
    metadata = {"batch_size": 64, "batches": 2, "proxy_seconds": {"zico": 0.5}}
    names = ("l2_norm", "naswot", "grasp", "zico", "sweet_gradsign", "tcet_synflow", "mine")
    rows = by_name(evaluate(table(metadata, **{name: [1, 2, 3, 4, 5] for name in names}), TRUTH))
    passes = [rows[name].cost.get("passes") for name in names]
    assert passes == [0, 1, 10, 6, 6, 3 / 64 + 1, None]  # a backward pass is worth two
    assert rows["zico"].cost["seconds"] == 0.5


def test_costs_and_directions_that_the_table_records_are_taken() -> None:
    mine = "my_module:mine(k=2)"
    recorded = {"costs": {"zico": {"passes": 4.5, "flops": 7e9}, mine: {"passes": 2}}, "directions": {mine: "lower", "zico": "higher"}}
    columns = {"zico": [1, 2, 3, 4, 5], mine: [5, 4, 3, 2, 1], "ntk_condition": [5, 4, 3, 2, 1]}
    rows = by_name(evaluate(table(recorded, **columns), TRUTH))
    assert (rows["zico"].cost, rows[mine].cost) == ({"passes": 4.5, "flops": 7e9}, {"passes": 2})
    assert [rows[name].higher_is_better for name in columns] == [True, False, False]
    assert of(rows[mine], "spearman")[0] == of(rows["zico"], "spearman")[0]


def test_passes_that_depend_on_sizes_nobody_recorded_are_not_known() -> None:
    columns = {name: [1, 2, 3, 4, 5] for name in ("snip", "synflow", "zico", "vkdnw", "swap(nothing=3)")}
    rows = by_name(evaluate(table({"batches": 2}, **columns), TRUTH))
    assert [rows[name].cost for name in columns] == [{"passes": 3}, {}, {"passes": 6}, {}, {}]
