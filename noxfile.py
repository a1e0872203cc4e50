"""What is run beside CI: `nox -l` lists it, CONTRIBUTING.md says how long each takes. `.ci/run` runs lint, types, tests and the site.

Sessions need the Python that they name; `pip install uv && uv python install 3.13` fetches one that the machine lacks, from
GitHub."""

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = []


@nox.session(python="3.11")
def slow(session: nox.Session) -> None:
    """The slow tests: the battery on every space, the authors' scores of every stored network, jobs that are killed."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-n", "2", "-m", "slow", *session.posargs)


@nox.session(python="3.11")
def wide(session: nox.Session) -> None:
    """Property tests that look elsewhere each time, a thousand examples of each."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-n", "2", "--hypothesis-profile=wide", "-m", "hypothesis and not slow", *session.posargs)


@nox.session(python="3.11")
def annotated(session: nox.Session) -> None:
    """The fast tests, in which everything passed and returned within the package is compared with its annotation."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-n", "2", "-p", "tests.support.annotations", "-W", "ignore::typeguard.TypeHintWarning", *session.posargs)


@nox.session(python="3.13")
def newest(session: nox.Session) -> None:
    """The fast tests on the newest Python with the newest dependencies."""
    session.install("--upgrade", "--upgrade-strategy", "eager", "-e", ".[dev]")
    session.run("pytest", "-n", "2", *session.posargs)
