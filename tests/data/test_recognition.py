"""What people write in cells: numbers, dates, true and false, in any form that all cells of a column share."""

import datetime as dt
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lr.data.recognition import PAIRS, Ambiguous, CellError, Conventions, Mixture, recognise
from tinygrad_lr.data.written_dates import read_dates
from tinygrad_lr.data.written_numbers import read_numbers

NUMBERS = {  # name -> texts, numbers, what is said
    "plain": (["1.5", "2", "-3", "+4", "1e3", ".5", "5."], [1.5, 2, -3, 4, 1000, 0.5, 5], []),
    "German": (["1.234,56", "7", "-0,5"], [1234.56, 7, -0.5], ["decimal comma", "thousands point"]),
    "German without thousands": (["1234,56", "7,1"], [1234.56, 7.1], ["decimal comma"]),
    "American": (["1,234.56", "-7"], [1234.56, -7], ["thousands comma"]),
    "millions": (["1,234,567", "12,345"], [1234567, 12345], ["thousands comma"]),
    "German millions": (["1.234.567", "12.345"], [1234567, 12345], ["thousands point"]),
    "Swiss": (["1'234.50", "7"], [1234.5, 7], ["thousands apostrophe"]),
    "Swiss, typographic": (["1\u2019234.50", "7"], [1234.5, 7], ["thousands apostrophe"]),
    "French": (["1\u202f234,5", "1\u00a0000"], [1234.5, 1000], ["decimal comma", "thousands space"]),
    "SI": (["1\u2009234.5", "12 345"], [1234.5, 12345], ["thousands space"]),
    "Indian": (["1,23,456.50", "12,34,567"], [123456.5, 1234567], ["thousands comma"]),
    "percent": (["12%", "7.5 %", "0"], [12, 7.5, 0], ["in percent"]),
    "percent, comma": (["12,5\u00a0%", "7 %"], [12.5, 7], ["decimal comma", "in percent"]),
    "per mille": (["1 ‰", "2,5 ‰"], [1, 2.5], ["decimal comma", "per mille"]),
    "dollars": (["$1,234.50", "-$7", "$-8", "$ 0.5"], [1234.5, -7, -8, 0.5], ["thousands comma", "in $"]),
    "euros behind": (["1.234,50 €", "7 €", "0"], [1234.5, 7, 0], ["decimal comma", "thousands point", "in €"]),
    "codes of currencies": (["CHF 1'200.50", "CHF 7"], [1200.5, 7], ["thousands apostrophe", "in CHF"]),
    "codes behind": (["12.5 USD", "7 USD"], [12.5, 7], ["in USD"]),
    "rupees": (["₹ 1,23,456.5", "₹ 7"], [123456.5, 7], ["thousands comma", "in ₹"]),
    "crowns": (["12,50 kr", "7 kr"], [12.5, 7], ["decimal comma", "in kr"]),
    "round prices": (["5,- €", "7,– €", "8,50 €"], [5, 7, 8.5], ["decimal comma", "in €"]),
    "accounts": (["(1,234.50)", "7", "(8)"], [-1234.5, 7, -8], ["thousands comma", "(5) is -5"]),
    "accounts in dollars": (["($1,234.50)", "$7"], [-1234.5, 7], ["thousands comma", "in $", "(5) is -5"]),
    "SAP": (["1.234,50-", "7"], [-1234.5, 7], ["decimal comma", "thousands point", "5- is -5"]),
    "real minus": (["\u22125", "3"], [-5, 3], ["minus sign U+2212"]),
    "dash as minus": (["\u20135", "3"], [-5, 3], []),
    "kilograms": (["12 kg", "7.5kg"], [12, 7.5], ["in kg"]),
    "months": (["36 months", "60 months"], [36, 60], ["in months"]),
    "degrees": (["12,5 °C", "-3 °C"], [12.5, -3], ["decimal comma", "in °C"]),
    "full width": (["１２", "３.５"], [12, 3.5], []),
    "Arabic": (["١٢", "٣٫٥"], [12, 3.5], []),
    "exponents": (["1,5e3", "2E-2"], [1500, 0.02], ["decimal comma"]),
    "zero first": (["0,123", "0,456"], [0.123, 0.456], ["decimal comma"]),
    "four before": (["1234,567", "1,234"], [1234.567, 1.234], ["decimal comma"]),
    "hundreds beside": (["1,230", "45", "1,234", "2,345"], [1230, 45, 1234, 2345], ["thousands comma"]),
    "hundreds beside, points": (["1.230", "45", "1.234", "(2.345)"], [1230, 45, 1234, -2345], ["thousands point"]),
    "hours": (["12:30", "8:15:36", "0:45"], [12.5, 8.26, 0.75], ["time in hours"]),
    "hours, a.m.": (["12:30 AM", "1:00 pm"], [0.5, 13], ["time in hours"]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name):
    texts, values, words = NUMBERS[name]
    found = recognise(texts)
    assert found.kind == "number" and found.values.dtype == np.float64
    assert found.values.tolist() == pytest.approx(values, rel=1e-15)
    assert [word for word in found.words if word in words] == words
    for order in itertools.islice(itertools.permutations(range(len(texts))), 24):
        assert (recognise([texts[i] for i in order]).values == found.values[list(order)]).all()


LOCALES = [(".", ","), (",", "."), (".", "'"), (".", "\u2019"), (",", "\u202f"), (",", "\u00a0"), (".", " "), (".", "")]
UNITS = ["{}", "{} %", "{}%", "€ {}", "{} €", "${}", "{} kg", "CHF {}"]


@given(
    st.lists(st.decimals(-(10**9), 10**9, allow_nan=False, places=2), min_size=1, max_size=8),
    st.sampled_from(LOCALES),
    st.sampled_from(UNITS),
    st.sampled_from(["-", "\u2212", "()"]),
)
def test_numbers_written_in_any_locale_are_read_back(values, locale, unit, minus):
    decimal, thousands = locale
    texts = []
    for value in values:
        text = f"{abs(value):,.2f}".replace(",", "_").replace(".", decimal).replace("_", thousands)
        text = unit.format(text)
        texts.append(text if value >= 0 else f"({text})" if minus == "()" else minus + text)
    texts = list(dict.fromkeys(texts))
    found = recognise(texts)
    expected = dict.fromkeys(map(float, values))
    assert set(found.values.tolist()) == set(expected) and found.kind == "number"
    assert found.decimal == decimal and found.unit == unit.format("").strip()


@given(st.lists(st.integers(1000, 10**9), min_size=1, max_size=6), st.sampled_from([",", "."]))
def test_whole_thousands_are_read_or_refused_and_never_wrong(values, mark):
    texts = list(dict.fromkeys(f"{value:,}".replace(",", mark) for value in values))
    other = "," if mark == "." else "."
    try:
        found = recognise(texts).values
    except Ambiguous:
        assert all(value < 10**6 for value in values)
        found = recognise(texts, Conventions(likely_decimal=other)).values
        as_decimals = recognise(texts, Conventions(likely_decimal=mark)).values
        assert np.allclose(as_decimals * 1000, found, rtol=1e-12)
    assert set(found.tolist()) == set(map(float, values))
    assert set(recognise(texts, Conventions(decimal=other)).values.tolist()) == set(map(float, values))


AMBIGUOUS = {
    "a comma": (["1,234", "5,678"], "'1,234' can mean 1234 or 1.234"),
    "a point with a sign": (["$1.234", "$5.678"], r"'\$1.234' can mean 1234 or 1.234"),
    "negative": (["-1,234"], "'-1,234' can mean 1234 or 1.234"),
    "percent": (["12,345 %"], "'12,345 %' can mean 12345 or 12.345"),
    "both marks": (["1,234", "1.234"], "can mean 1234 or 1.234"),
    "only zeros beside": (["1,230", "0", "4,560", "7,890"], "can mean 1230 or 1.230"),
    "thousands without a mark beside": (["1,230", "4560", "7,890", "1,111"], "can mean 1230 or 1.230"),
    "one that decides among many": (
        [*(f"1,{i:03}" for i in range(30)), "1,23"],
        "'1,23' has a decimal comma, by mistake perhaps: '1,000' and 29 others can mean 1000 or 1.000",
    ),
    "one with a point and a sign": ([*(f"${i}.345" for i in range(1, 60)), "$7.5"], r"'\$7.5' has a decimal point"),
    "a day that is a month too": (["1/1/2020", "2/2/2020", "3/4/2020"], "'3/4/2020' can mean 2020-04-03 or 2020-03-04"),
    "days and months": (["3/4/2020", "5/6/2020"], "'3/4/2020' can mean 2020-04-03 or 2020-03-04"),
    "with dashes": (["03-04-2020"], "can mean 2020-04-03 or 2020-03-04"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_can_mean_two_things_is_refused(name):
    texts, message = AMBIGUOUS[name]
    with pytest.raises(Ambiguous, match=message) as caught:
        recognise(texts)
    assert texts[caught.value.index] in str(caught.value)


def test_few_cells_decide_where_no_thousands_are_written_so():
    """One in a tenth has fewer decimals where programs write three; 0,998 and 1234,567 are no thousands."""
    many = [f"1,{i:03}" for i in range(60)]
    for sure in (["1,5", "1,25", "1,7"], ["0,998"], ["1234,567"], ["1.234,5"]):
        assert recognise([*many, *sure]).values[:2].tolist() == [1, 1.001]
    for conventions in (Conventions(decimal=","), Conventions(likely_decimal=",")):
        assert recognise([*many, "1,23"], conventions).values[-1] == 1.23
    with pytest.raises(CellError, match="'1,23' is not a number with a decimal point; correct it"):
        recognise([*many, "1,23"], Conventions(decimal="."))


TEXTS = {
    "colours": ["red", "blue"],
    "codes": ["00501", "10001"],
    "sizes": ["S", "M", "L"],
    "ranges": ["18-25", "26-35", "65+"],
    "seasons": ["2009-10", "2010-11", "2011-12"],
    "fractions": ["1/2", "3/4"],
    "plural and singular": ["1 year", "2 years"],
    "addresses": ["12 Main St", "7 High St"],
    "IP": ["10.0.0.1", "192.168.0.1"],
    "versions": ["1.2.3", "1.10.0"],
    "house numbers": ["12a", "12b"],
    "lists": ["1,2,3", "4,5,60"],
    "phone": ["+49 30 12345", "+49 89 54321"],
    "one word of a pair": ["yes"],
    "yes, no and more": ["yes", "no", "unknown"],
    "titles, one a number": [*(f"title {chr(97 + i)}" for i in range(20)), "1984"],
    "tickets": [*map(str, range(1000, 1030)), *(f"A/5 {i}" for i in range(12))],
    "words that begin like dates": ["Mayflower", "Marching band", "Sunday best", "Q4 results"],
    "letters": ["e", "E5e"],
    "inf and nan": ["inf x", "nan y"],
    "half a currency": ["$", "€"],
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_stay_texts(name):
    assert recognise(TEXTS[name]).kind == "text"


@pytest.mark.parametrize("pair", PAIRS)
def test_booleans(pair):
    false, true = pair
    found = recognise([true.upper(), false, true, false.title()])
    assert found.kind == "boolean" and found.values.tolist() == [True, False, True, False]


DATES = {  # texts -> days, what is said
    "ISO": (["2020-02-29", "2021-12-31"], ["2020-02-29", "2021-12-31"]),
    "ISO, short": (["2020-2-29", "2021-12-1"], ["2020-02-29", "2021-12-01"]),
    "slashes": (["2012/01/31", "2012/02/01"], ["2012-01-31", "2012-02-01"]),
    "points": (["2012.01.31"], ["2012-01-31"]),
    "German": (["31.12.2020", "1.2.2021"], ["2020-12-31", "2021-02-01"]),
    "German, spaced": (["31. 12. 2020", "1. 2. 2021"], ["2020-12-31", "2021-02-01"]),
    "German, short": (["31.12.99", "1.2.21"], ["1999-12-31", "2021-02-01"]),
    "British": (["31/12/2020", "1/2/2021"], ["2020-12-31", "2021-02-01"]),
    "American": (["12/31/2020", "1/2/2021"], ["2020-12-31", "2021-01-02"]),
    "American, short": (["12/31/99", "1/2/21"], ["1999-12-31", "2021-01-02"]),
    "Dutch": (["31-12-2020", "1-2-2021"], ["2020-12-31", "2021-02-01"]),
    "the same either way": (["1/1/2020", "2/2/2020"], ["2020-01-01", "2020-02-02"]),
    "Oracle": (["01-JAN-2020", "31-DEC-21"], ["2020-01-01", "2021-12-31"]),
    "SAS": (["01JAN2020", "31DEC2021"], ["2020-01-01", "2021-12-31"]),
    "in words": (["1 January 2020", "31 December 2021"], ["2020-01-01", "2021-12-31"]),
    "in German": (["3. März 2020", "1. Mai 2021", "24. Dezember 2021"], ["2020-03-03", "2021-05-01", "2021-12-24"]),
    "US words": (["May 1, 2020", "Sept. 3rd, 2021"], ["2020-05-01", "2021-09-03"]),
    "weekdays": (["Fri, May 1, 2020", "Monday May 4 2020"], ["2020-05-01", "2020-05-04"]),
    "months": (["2020-01", "2020-12"], ["2020-01-01", "2020-12-01"]),
    "months in words": (["Jan 2020", "Dec 2020"], ["2020-01-01", "2020-12-01"]),
    "Eurostat": (["2020M01", "2020M12"], ["2020-01-01", "2020-12-01"]),
    "quarters": (["2020Q1", "2020 Q4"], ["2020-01-01", "2020-10-01"]),
    "quarters first": (["Q1 2020", "Q4/2020"], ["2020-01-01", "2020-10-01"]),
}


@pytest.mark.parametrize("name", DATES)
def test_dates(name):
    texts, days = DATES[name]
    found = recognise(texts)
    assert found.kind == "date" and found.values.dtype == "datetime64[us]"
    assert found.values.astype("datetime64[D]").astype(str).tolist() == days


TIMES = {
    "ISO": (["2020-01-01T12:30", "2020-01-02 01:02:03"], ["2020-01-01T12:30:00", "2020-01-02T01:02:03"]),
    "fractions": (["2020-01-01 12:30:00.25"], ["2020-01-01T12:30:00.250000"]),
    "comma": (["2020-01-01 12:30:00,5"], ["2020-01-01T12:30:00.500000"]),
    "some at midnight": (["2020-01-01", "2020-01-02 12:00"], ["2020-01-01T00:00", "2020-01-02T12:00"]),
    "Z": (["2020-01-01T12:30:00Z"], ["2020-01-01T12:30"]),
    "UTC": (["2020-01-01 12:30:00 UTC"], ["2020-01-01T12:30"]),
    "pandas": (["2020-01-01 12:30:00+00:00", "2020-01-01 12:30:00+02:00"], ["2020-01-01T12:30", "2020-01-01T10:30"]),
    "offsets": (["2020-01-01T00:30-0330", "2020-07-01T00:30+05"], ["2020-01-01T04:00", "2020-06-30T19:30"]),
    "Java": (["2020-07-01T00:30+02:00[Europe/Paris]"], ["2020-06-30T22:30"]),
    "GMT+2": (["2020-07-01 00:30 GMT+2"], ["2020-06-30T22:30"]),
    "US": (["1/31/2020 12:05 AM", "1/2/2020 3:04:05 pm"], ["2020-01-31T00:05", "2020-01-02T15:04:05"]),
    "German": (["31.1.2020, 13:05", "1.2.2020, 9:00"], ["2020-01-31T13:05", "2020-02-01T09:00"]),
}


@pytest.mark.parametrize("name", TIMES)
def test_times(name):
    texts, moments = TIMES[name]
    assert (recognise(texts).values == np.array(moments, "datetime64[us]")).all()


FORMS = ["%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%d %B %Y", "%b %d, %Y", "%d-%b-%Y", "%Y-%m-%d %H:%M:%S", "%A, %B %d, %Y"]


@given(st.lists(st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9999, 12, 31)), min_size=1), st.sampled_from(FORMS))
def test_dates_written_in_any_form_are_read_back(days, form):
    days = [day.replace(microsecond=0) for day in days]
    texts = list(dict.fromkeys(day.strftime(form) for day in days))
    expected = [dt.datetime.strptime(text, form) for text in texts]
    found = recognise(texts)
    assert found.kind == "date" and (found.values == np.array(expected, "datetime64[us]")).all()


@given(st.lists(st.dates(dt.date(1000, 1, 1)), min_size=1), st.sampled_from("/-"), st.booleans())
def test_days_and_months_are_read_or_refused_and_never_swapped(days, mark, day_first):
    form = mark.join(["%d", "%m", "%Y"] if day_first else ["%m", "%d", "%Y"])
    texts = list(dict.fromkeys(day.strftime(form) for day in days))
    expected = np.array([dt.datetime.strptime(text, form) for text in texts], "datetime64[us]")
    order = "d/m/y" if day_first else "m/d/y"
    try:
        found = recognise(texts).values
    except Ambiguous:
        assert all(day.day <= 12 for day in days)
        found = recognise(texts, Conventions(likely_dates=order)).values
    assert (found == expected).all()
    assert (recognise(texts, Conventions(dates=order)).values == expected).all()


DISAGREE = {  # texts -> a part of the message, the place of the text that is shown
    "a word": (["1", "2", "ten"], "'ten' is not a number, but 2 other cells of the column are", 2),
    "an underscore": (["1", "1_000"], "'1_000' is not a number, but 1 other cell of the column is.*underscores", 1),
    "below a limit": (["<5", "6", "7,5"], "'<5' is not a number, but 2 other", 0),
    "nine words": (["1", *(f"word {i}" for i in range(9))], "'word 0' is not a number", 1),
    "words, a tenth": ([*map(str, range(100)), *(f"w{i}" for i in range(11))], "'w0' is not a number", 100),
    "a dash": (["-", "6", "7"], "'-' is not a number", 0),
    "a leading zero": (["007.5", "3", "x"], "'007.5' is not a number.*leading zeros", 0),
    "point and comma": (["1,5", "2.5"], "'2.5' has a decimal point, and '1,5' a decimal comma", 1),
    "both ways": (["1.234,5", "1,234.5"], "'1,234.5' has a decimal point, and '1.234,5' a decimal comma", 1),
    "two thousands marks": (["1 234.5", "1'234.5"], "has a thousands space where other cells have.*apostrophe", 0),
    "two currencies": (["$5", "€7"], "'€7' is in €, and '\\$5' is in \\$; write all in one unit", 1),
    "a share among percent": (["5%", "0.05", "7%"], "'0.05' has no unit, and '5%' is in %", 1),
    "one with a currency": (["5", "7", "€8"], "'€8' is in €, and '5' has none", 2),
    "two units": (["5 kg", "7 g", "8 kg"], "'7 g' is in g, and '5 kg' is in kg", 1),
    "beyond float64": (["1e999", "2,0"], "'1e999' is not finite", 0),
    "no such day": (["2020-02-30", "2020-01-01"], "'2020-02-30' has the form of a date, and there is no such day", 0),
    "no such day, German": (["31.11.2020"], "'31.11.2020' has the form of a date", 0),
    "no such month": (["1.13.2020"], "'1.13.2020' has the form of a date", 0),
    "no such time": (["1.12.2020 25:00"], "'1.12.2020 25:00' has the form of a time", 0),
    "no such half": (["1.12.2020 13:00 PM"], "has the form of a time", 0),
    "days first and second": (
        ["13/1/2020", "1/13/2020"],
        "'13/1/2020' has no month in second place, and '1/13/2020'",
        1,
    ),
    "a century": (["1/1/45"], "'1/1/45': the century is unclear; write years with four digits", 0),
    "a zone by name": (["2020-01-01 12:00 CET"], "the offset of the time zone CET is not known", 0),
    "zones in some": (["2020-01-01 12:00", "2020-01-01 12:00Z"], "'2020-01-01 12:00' has no time zone", 0),
    "two forms": (
        ["2020-01-01", "31.12.2020"],
        "'31.12.2020' and '2020-01-01' are dates that are written differently",
        1,
    ),
    "a date among numbers": (["1", "2", "2020-01-01"], "'2020-01-01' is not a number", 2),
    "a word among dates": (["2020-01-01", "soon", "2020-01-03"], "'soon' is not a date, but 2 other cells", 1),
}


@pytest.mark.parametrize("name", DISAGREE)
def test_cells_that_do_not_agree_are_shown(name):
    texts, message, index = DISAGREE[name]
    with pytest.raises(CellError, match=message) as caught:
        recognise(texts)
    assert caught.value.index == index and not isinstance(caught.value, Ambiguous)


def test_a_named_mark_or_order_that_does_not_fit_is_refused():
    with pytest.raises(CellError, match="'2.5' is not a number with a decimal comma; correct it, or say --decimal ."):
        recognise(["1,5", "2.5"], Conventions(decimal=","))
    with pytest.raises(CellError, match="'12/31/2020' has the form of a date, and there is no such day"):
        recognise(["12/31/2020"], Conventions(dates="d/m/y"))
    with pytest.raises(Mixture, match="'ten' is not a number, but 7 other cells"):
        recognise(["1", "ten", "2"], counts=[3, 1, 4])


CELL = st.text("0123456789.,'’ -+()%€$eE:/TZMQJankgyesno\u00a0\u2212", max_size=12)


@given(st.lists(CELL.map(str.strip).filter(bool), min_size=1, max_size=5, unique=True))
def test_any_texts_are_recognised_or_refused(texts):
    try:
        found = recognise(texts)
    except CellError as error:
        assert repr(texts[error.index]) in error.what
        return
    assert found.kind in ("number", "boolean", "date", "text")
    assert len(found.values) == (0 if found.kind == "text" else len(texts))
    if found.kind == "number" and found.unit != "hours":
        assert np.isfinite(found.values).all()
        for text, value in zip(texts, found.values, strict=True):
            assert plainly(text, found.decimal or ".") == value


def plainly(text, decimal):
    """The number that a text means, by another way: its digits, its last decimal mark, its signs."""
    body = text.replace("€", "").replace("$", "").replace("%", "").replace("kg", "")
    mantissa, _, exponent = body.lower().partition("e")
    whole, _, part = mantissa.partition(decimal)
    digits = ["".join(each for each in piece if each.isdigit()) for piece in (whole, part)]
    negative = any(mark in mantissa for mark in "(\u2212") or "-" in mantissa.replace(f"{decimal}-", "").replace(
        "--", ""
    )
    size = float(f"{digits[0] or 0}.{digits[1] or 0}e{exponent.strip(' )') or 0}")
    return -size if negative else size


def test_plain_readers_say_none_where_they_cannot_read():
    assert read_numbers(["red"]) is None and read_numbers(["1", "red"]) is None
    assert read_dates(["red"]) is None and read_dates(["2020-01-01", "red"]) is None


# --- many texts at once ---------------------------------------------------------------------------------------------

WAYS = {  # name -> how a number is written, with how many decimals
    "thousands": (lambda x: f"{x:,.2f}", 2),
    "decimal comma": (lambda x: f"{x:,.2f}".translate({44: ".", 46: ","}), 2),
    "dollars": (lambda x: f"-${-x:,.2f}" if x < 0 else f"${x:,.2f}", 2),
    "percent": (lambda x: f"{x:.1f} %", 1),
    "accounting": (lambda x: f"({-x:,.2f} €)" if x < 0 else f"{x:,.2f} €", 2),
    "minus behind": (lambda x: f"{-x:.1f}-" if x < 0 else f"{x:.1f}", 1),
    "a unit with a digit": (lambda x: f"{x:.1f} m2", 1),
}


@pytest.mark.parametrize("way", WAYS)
def test_many_numbers_are_read_as_they_were_written(way):
    write, decimals = WAYS[way]

    @settings(max_examples=20)
    @given(st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=30))
    def check(numbers):
        value = {write(x): float(f"{x:.{decimals}f}") for x in numbers}
        assert read_numbers(list(value), "," if "comma" in way else ".").values.tolist() == list(value.values())

    check()


FORMS = [
    "%Y-%m-%d",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y",
    "%d %b %Y, %I:%M %p",
    "%d.%m.%Y %H:%M:%S.%f",
    "%Y/%m/%d",
    "%Y-%m-%dT%H:%M:%S.%f",
]


@pytest.mark.parametrize("form", FORMS)
def test_many_dates_are_read_as_python_reads_each(form):
    @settings(max_examples=20)
    @given(st.lists(st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(2999, 1, 1)), min_size=2, max_size=30))
    def check(instants):
        texts = list(dict.fromkeys(instant.strftime(form) for instant in instants))
        found = read_dates(texts, "m/d/y" if form == "%m/%d/%Y" else "d/m/y")
        assert found.values.tolist() == [dt.datetime.strptime(text, form) for text in texts]

    check()


def test_one_text_of_another_form_is_found_among_many():
    many = [f"{number:,}.5" for number in range(1000, 1100)]
    assert read_numbers(many) is not None and read_numbers([*many, "1,0000.5"]) is None
    assert read_numbers([*many, "1,000.5\n1,000.5"]) is None
    days = [f"{day:02}.01.2020" for day in range(1, 32)]
    assert read_dates(days) is not None and read_dates([*days, "1-1-2020"]) is None
    with pytest.raises(CellError, match=r"'32\.01\.2020' has the form of a date, and there is no such day") as error:
        read_dates([*days, "32.01.2020"])
    assert error.value.index == 31
