import numpy as np
import pytest

from annotate.agreement import Agreement, agreements, kappa
from annotate.gold import Label, Labels
from data.records import Role


def paper(**roles: Role | tuple[Role, ...]) -> Labels:
    return frozenset(
        Label(dataset, role, False)
        for dataset, said in roles.items()
        for role in ((said,) if isinstance(said, str) else said)
    )


def both(first: list[Labels], second: list[Labels]) -> tuple[Agreement, Agreement]:
    with_absent, without = agreements(first, second, resamples=200)
    return with_absent, without


def test_kappa_of_a_table_worked_by_hand() -> None:
    # 35 of 50 agree; by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5; (0.7 - 0.5) / (1 - 0.5)
    assert kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_kappa_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    two[:120] = one[:120]
    table = np.zeros((4, 4))
    np.add.at(table, (one, two), 1)
    assert kappa(table) == pytest.approx(metrics.cohen_kappa_score(one, two))


def test_what_one_has_and_the_other_lacks_is_absent() -> None:
    first = [paper(A="source", B="target"), paper(C="target")]
    second = [paper(A="source", B="mention", D="target"), paper()]
    with_absent, without = both(first, second)
    assert (with_absent.n, with_absent.n_same) == (4, 1)
    assert with_absent.categories == ["absent", "mention", "source", "target"]
    assert with_absent.table == [[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0]]
    # 1/4 agree; by chance (1 * 1 + 0 * 1 + 1 * 1 + 2 * 1) / 16 = 1/4.
    assert with_absent.kappa == pytest.approx(0)
    assert (without.n, without.n_same) == (2, 1)


def test_two_roles_are_a_category_of_their_own() -> None:
    with_absent, _ = both([paper(A=("source", "target"))], [paper(A="source")])
    assert with_absent.categories == ["source", "source and target"]
    assert with_absent.n_same == 0


def test_full_agreement_is_one_with_its_interval() -> None:
    papers = [paper(A="source", B="target"), paper(C="mention"), paper(A="target", D="source")] * 5
    with_absent, without = both(papers, papers)
    assert with_absent.kappa == without.kappa == pytest.approx(1)
    assert with_absent.kappa_interval == pytest.approx((1, 1))


def test_without_pairs_or_with_one_category_there_is_no_kappa() -> None:
    assert [one.kappa for one in both([paper()], [paper()])] == [None, None]
    assert both([paper(A="source")], [paper(A="source")])[0].kappa is None
    unnamed = frozenset({Label("unspecified", "source", True)})
    assert both([unnamed], [paper()])[0].n == 0
