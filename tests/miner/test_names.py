import pytest

from miner.names import agree, name_keys, overlap, readings, share_given

ONE_PERSON = [
    ("Mira Castellan", "M. Castellan"),
    ("Mira Castellan", "Castellan, Mira Q."),
    ("M. Q. Castellan", "Mira Castellan"),
    ("Jiaqi Hu", "Hu Jiaqi"),
    ("Jiaqi Hu", "Hu J"),
    ("Jia-Qi Hu", "Jiaqi Hu"),
    ("Hu JQ", "Jiaqi Hu"),
    ("Jürgen Müller", "J. Mueller"),
    ("ÖZLEM ÜNAL", "Ozlem Unal"),
    ("Søren Ølgaard", "Soren Olgaard"),
    ("Straße, Ida", "Ida Strasse"),
    ("Ana García-López", "A. Garcia"),
    ("Ana García López", "Ana García"),
    ("Noor van den Berg", "Berg, N. van den"),
    ("Kate O’Brien", "O'Brien, K"),
    ("Mira Castellan, PhD", "Mira Castellan"),
]
TWO_PERSONS = [
    ("Mira Castellan", "Milo Castellan"),
    ("Mira Castellan", "Mira Castell"),
    ("Wei Xue", "Wei Xu"),
    ("Wei Wang", "Li Zhang"),
    ("A. Garcia", "B. Garcia"),
    ("Li Wei", "L. Wang"),
]


@pytest.mark.parametrize(("left", "right"), ONE_PERSON)
def test_one_person_under_two_names(left: str, right: str) -> None:
    assert agree(left, right)
    assert agree(right, left)
    assert name_keys(left) & name_keys(right), "they would never be compared in a crowd"


@pytest.mark.parametrize(("left", "right"), TWO_PERSONS)
def test_two_persons_stay_two(left: str, right: str) -> None:
    assert not agree(left, right)
    assert not agree(right, left)


@pytest.mark.parametrize("name", ["", "  ", "-", "123", ","])
def test_a_name_without_letters_agrees_with_none(name: str) -> None:
    assert readings(name) == ()
    assert not agree(name, name)


def test_a_written_given_name_is_told_from_an_initial() -> None:
    assert share_given("Mira Castellan", "Castellan, Mira")
    assert not share_given("Mira Castellan", "M. Castellan")


def test_overlap_is_the_share_of_the_shorter_list() -> None:
    long = ["Joren Vale", "Tam Oduya", "Shen Yifan"]
    assert overlap(["J. Vale", "P. Amadi"], long) == 0.5
    assert overlap(["Yifan Shen"], long) == 1.0
    assert overlap([], long) == 0.0
