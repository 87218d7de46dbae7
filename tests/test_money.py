"""Money: exact integers of 10^-9, whatever a provider writes; `decimal` is the oracle."""

import time
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_os.core.money import currency, decimal_text, nano, shown

EXACT = Context(prec=200, Emin=-999999, Emax=999999)
LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("12.5", 12_500_000_000, id="text"),
        pytest.param("0.0123005", 12_300_500, id="more-than-six-decimals"),
        pytest.param("-0.06", -60_000_000, id="negative"),
        pytest.param("-0", 0, id="negative-zero"),
        pytest.param("0E-6176", 0, id="zero-with-the-exponent-of-decimal128"),
        pytest.param("0e999999999", 0, id="zero-with-a-huge-exponent"),
        pytest.param("1e3", 1_000_000_000_000, id="exponent"),
        pytest.param("1E+3", 1_000_000_000_000, id="exponent-with-plus"),
        pytest.param("25e-1", 2_500_000_000, id="negative-exponent"),
        pytest.param("1e-999999999", 0, id="vanishing"),
        pytest.param("007.50", 7_500_000_000, id="leading-zeros"),
        pytest.param("0.0000000005", 0, id="half-goes-down-to-even"),
        pytest.param("0.0000000015", 2, id="half-goes-up-to-even"),
        pytest.param("0.00000000050000000000000001", 1, id="just-over-half"),
        pytest.param("-0.0000000015", -2, id="half-even-below-zero"),
        pytest.param("9223372036.854775807", LARGEST, id="largest"),
        pytest.param("-9223372036.854775807", -LARGEST, id="smallest"),
        pytest.param("0.1234567890123456789012345678901234567890", 123_456_789, id="forty-digits"),
        pytest.param("1234567890123456789012345678901234567890e-47", 12, id="forty-digits-far-down"),
        pytest.param(3, 3_000_000_000, id="int"),
        pytest.param(Decimal("8.2"), 8_200_000_000, id="decimal"),
        pytest.param(Decimal("1E+2"), 100_000_000_000, id="decimal-with-exponent"),
        pytest.param(Decimal("0E-6176"), 0, id="decimal-zero"),
        pytest.param(Decimal("1E-1000000"), 0, id="decimal-vanishing"),
    ],
)
def test_an_amount_becomes_whole_billionths(value, expected):
    """An amount is stored as the integer of 10^-9 that it is, rounded half-even where it is finer."""
    assert nano(value) == expected


@pytest.mark.parametrize(
    ("value", "shift", "expected"),
    [
        pytest.param("123.78912", -2, 1_237_891_200, id="cents-with-fractions"),
        pytest.param("0.00000005", -2, 0, id="rounded-once-after-the-shift"),
        pytest.param("0.00000015", -2, 2, id="rounded-once-half-even"),
        pytest.param(250, -2, 2_500_000_000, id="whole-cents"),
        pytest.param("1.5", 3, 1_500_000_000_000, id="upwards"),
    ],
)
def test_cents_become_units_by_shift(value, shift, expected):
    """`shift=-2` reads cents; there is one rounding, at 10^-9 of the unit."""
    assert nano(value, shift=shift) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " 1 ",
            "1 ",
            "12,50",
            "٣",
            "1_000",
            "+1",
            "--1",
            "-",
            ".5",
            "5.",
            "-.5",
            "1e",
            "1e+",
            "1e5.0",
            "1ee5",
            "e5",
        ),
        *("0x10", "1.2.3", "NaN", "nan", "Infinity", "-inf", "1\n", "\x001", "\uff11", "²", "1e٣", "1e--3", "1e1e1"),
        *("1e13", "1e1000000", "9" * 41, "1." + "0" * 40, "9223372036.854775808", "1" * 5000, "0" * 101, "9" * 13),
        *(True, False, 1.5, float("nan"), float("inf"), None, [], {}, b"1", [1], object()),
        *(10**13, -(10**13), 10**5000, 9223372037),
        *(
            Decimal("NaN"),
            Decimal("sNaN"),
            Decimal("Infinity"),
            Decimal("1e1000000"),
            Decimal("1" * 5000),
            Decimal("1e13"),
        ),
    ],
    ids=lambda value: ascii(value if isinstance(value, str) else type(value).__name__)[:24],
)
def test_what_is_not_an_amount_is_refused_at_once(value):
    """Anything else is a ValueError whose sentence is short and says why, in well under a second."""
    begun = time.perf_counter()
    with pytest.raises(ValueError, match=r"is not an amount|is too large for an amount|significant digits") as caught:
        nano(value)
    assert time.perf_counter() - begun < 0.1
    assert len(str(caught.value)) < 130
    assert str(caught.value).isascii()


def test_the_size_of_the_literal_counts_before_the_shift():
    """Ten million million is no amount of anything, cents or less."""
    assert nano("9999999999999", shift=-6) == 9_999_999_999_999_000
    with pytest.raises(ValueError, match="too large"):
        nano("1e13", shift=-6)


def test_a_refusal_names_the_value():
    """The sentence holds the value itself, escaped, so that it can be found in the reply."""
    with pytest.raises(ValueError, match="'12,50' is not an amount"):
        nano("12,50")
    with pytest.raises(ValueError, match=r"'\\u0663' is not an amount"):
        nano("٣")
    with pytest.raises(ValueError, match=r"1E\+1000000 is too large"):
        nano(Decimal("1e1000000"))
    with pytest.raises(ValueError, match=r"1\.5 is not an amount"):
        nano(1.5)


def test_every_cent_below_a_thousand_is_exact():
    """No cent value is off by a billionth, as 1,196 of the first 100,000 are when a float is in between."""
    assert [nano(f"{cents // 100}.{cents % 100:02d}") for cents in range(100_000)] == [
        cents * 10_000_000 for cents in range(100_000)
    ]


literals = st.builds(
    lambda negative, whole, fraction, power: f"{negative}{whole}{fraction}{power}",
    st.sampled_from(["", "-"]),
    st.text("0123456789", min_size=1, max_size=12),
    st.one_of(st.just(""), st.text("0123456789", min_size=1, max_size=30).map(lambda digits: f".{digits}")),
    st.one_of(st.just(""), st.tuples(st.sampled_from("eE"), st.integers(-40, 12)).map(lambda p: f"{p[0]}{p[1]:+d}")),
)


def oracle(value, shift):
    """The same by `decimal`, or None where the amount is out of bounds."""
    if value and (value.adjusted() > 12 or len(value.as_tuple().digits) > 40):
        return None
    scaled = value.scaleb(9 + shift, EXACT).quantize(Decimal(1), ROUND_HALF_EVEN, EXACT)
    return int(scaled) if abs(scaled) <= LARGEST else None


@given(literals, st.sampled_from([0, -2, -6, 2]))
def test_every_literal_agrees_with_decimal(literal, shift):
    """Text and the Decimal of that text are the same amount, the one that `decimal` computes."""
    expected = oracle(Decimal(literal), shift)
    for value in (literal, Decimal(literal)):
        try:
            found = nano(value, shift=shift)
        except ValueError:
            found = None
        assert found == expected


@given(st.text("0123456789-+.eE_, ٣²", max_size=8))
def test_no_other_text_is_taken(text):
    """What we take, `decimal` takes and means the same by; `decimal` alone would take more."""
    try:
        found = nano(text)
    except ValueError:
        return
    assert found == oracle(Decimal(text), 0)
    assert set(text) <= set("0123456789-+.eE")


@given(st.integers(-LARGEST, LARGEST))
def test_decimal_text_is_exact_both_ways(amount):
    """The text is the amount, no digit more than needed beyond the cents."""
    text = decimal_text(amount)
    assert nano(text) == amount
    assert Decimal(text).scaleb(9, EXACT) == amount
    fraction = text.split(".")[1]
    assert len(fraction) == 2 or not fraction.endswith("0")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (12_500_000_000, "12.50"),
        (12_300_500, "0.0123005"),
        (-60_000_000, "-0.06"),
        (0, "0.00"),
        (1, "0.000000001"),
        (-LARGEST, "-9223372036.854775807"),
        (7_000_000_000, "7.00"),
    ],
)
def test_decimal_text_is_the_shortest_with_cents(amount, text):
    """At least two decimals, then only what is needed."""
    assert decimal_text(amount) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        pytest.param(0, "0.00", id="nothing"),
        pytest.param(1_234_567_890_000_000, "1,234,567.89", id="thousands"),
        pytest.param(12_345_000_000, "12.34", id="half-even"),
        pytest.param(12_355_000_000, "12.36", id="half-even-up"),
        pytest.param(999_995_000_000, "1,000.00", id="carries-into-the-thousands"),
        pytest.param(10_000_000, "0.01", id="a-cent"),
        pytest.param(9_990_000, "0.01", id="two-digits-of-0.00999"),
        pytest.param(4_200_000, "0.0042", id="below-a-cent"),
        pytest.param(1_234_567, "0.0012", id="two-digits"),
        pytest.param(1, "0.000000001", id="the-least"),
        pytest.param(-4_200_000, "-0.0042", id="below-a-cent-and-zero"),
        pytest.param(-1_234_560_000_000, "-1,234.56", id="negative"),
    ],
)
def test_people_see_cents_and_thousands(amount, text):
    """Cents as a rule; finer only where cents would show nothing."""
    assert shown(amount) == text


@given(st.integers(-LARGEST, LARGEST).filter(bool))
def test_an_amount_is_never_shown_as_nothing(amount):
    """However small, what is shown is not zero, has the amount's sign, and is near it."""
    value = nano(shown(amount).replace(",", ""))
    assert value * amount > 0
    assert abs(value - amount) <= max(5_000_000 if abs(amount) >= 10_000_000 else abs(amount) // 10, 0)


@pytest.mark.parametrize(("code", "expected"), [("usd", "USD"), ("EUR", "EUR"), ("Nok", "NOK")])
def test_a_currency_is_three_letters_in_upper_case(code, expected):
    """Providers write `usd` and `USD`; both are one currency."""
    assert currency(code) == expected


@pytest.mark.parametrize(
    "code", ["", "us", "usdt", "us1", " usd", "usd\n", "üsd", "€", None, 840, ["usd"], 10**4000, "\u017fek"]
)
def test_what_is_not_a_currency_is_refused(code):
    """A missing or odd currency is never taken for dollars."""
    with pytest.raises(ValueError, match="is not a currency code"):
        currency(code)
