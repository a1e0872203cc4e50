"""The reference of all proxies is in step with the cards, the equations and the table of what was measured."""

import re
from pathlib import Path

import pytest

from jaxzc.catalogue import reference
from jaxzc.catalogue.equations import EQUATIONS
from jaxzc.catalogue.papers import PAPERS
from jaxzc.cli import main
from jaxzc.proxies import PROXIES
from jaxzc.types import JaxzcError

DOCS = Path(__file__).parents[2] / "docs"
HEADER = ",".join(reference.COLUMNS)


def test_the_page_of_the_projects_own_tables(capsys: pytest.CaptureFixture[str]) -> None:
    tables = ["--correlations", str(DOCS / "correlations.csv"), "--published", str(DOCS / "published.csv")]
    assert main(["proxies", "--markdown", *tables]) == 0
    page = capsys.readouterr().out
    assert "| [sweet_ntk](#sweet_ntk) | Squared norm of the sweet gradients. | higher | yes | 3 | 0.917 [0.905, 0.927] | 0.91 |" in page


def test_every_proxy_has_an_equation_whose_papers_are_known() -> None:
    assert list(EQUATIONS) == list(PROXIES)
    used = {key for equation in EQUATIONS.values() for key in equation.papers}
    assert used == set(PAPERS)
    assert [name for name, equation in EQUATIONS.items() if not equation.papers] == ["params", "flops"]
    assert [paper for paper in PAPERS.values() if not re.fullmatch(r"https://\S+", paper.url)] == []
    for name, equation in EQUATIONS.items():  # typeset in the browser only: what can be wrong is a brace
        assert equation.latex.replace("\\{", "").count("{") == equation.latex.replace("\\}", "").count("}"), name
        assert equation.latex.count("\\frac") <= equation.latex.count("}{"), name


def test_every_proxy_has_a_section_with_its_correlations(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"{HEADER}\nzen,B,accuracy,0.5,0.4,0.6,100,0.3\n")
    page = reference.markdown(reference.read_correlations(table))
    for name in PROXIES:
        assert page.count(f"\n## {name}\n") == 1
        assert f"| [{name}](#{name}) |" in page
    assert "- **Measured**: B, accuracy: Spearman 0.500 [0.400, 0.600], Kendall 0.300, n = 100" in page
    assert page.count("0.500 [0.400, 0.600]") == 2  # in the table, too


def test_published_figures_stand_beside_ours(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(",".join(reference.PUBLISHED) + '\nzen,B,-0.38,"Someone, 2023",Another network.\nzen,B,0.10,Else,\n')
    page = reference.markdown((), reference.read_published(table))
    assert "| B: published |" in page
    assert "| -0.38, 0.10 |" in page
    assert "- **Published**: B: Spearman -0.38, Someone, 2023. Another network.\n- **Published**: B: Spearman 0.10, Else\n" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proxy,spearman\n", "has the columns proxy, spearman: expected proxy, benchmark"),
        (f"{HEADER}\nzenn,B,accuracy,0.5,0.4,0.6,100,0.3\n", "line 2: there is no proxy 'zenn'"),
        (f"{HEADER}\nzen,B,accuracy,much,0.4,0.6,100,0.3\n", "line 2: spearman='much': expected a number"),
        (f"{HEADER}\nzen,B,accuracy,0.5\n", "line 2: low=None: expected a number"),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(JaxzcError, match=message):
        reference.read_correlations(table)


def test_refusals_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxies", "--markdown", "--correlations", str(tmp_path / "none.csv")]) == 2
    assert "none.csv cannot be read (No such file or directory)" in capsys.readouterr().err
    for option in ("--correlations", "--published"):
        assert main(["proxies", option, "x.csv"]) == 2
        assert f"{option} goes with --markdown" in capsys.readouterr().err
