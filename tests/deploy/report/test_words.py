"""A page explains the words that it uses, and no others."""

from kipuka.deploy.report.words import definitions, how_to_read, words_on


def test_every_word_of_the_glossary_has_a_meaning():
    words = [word for word, _ in definitions()]
    assert len(words) >= 50
    assert words == sorted(words, key=str.lower)
    assert not any("*" in meaning or "`" in meaning for _, meaning in definitions())
    assert dict(definitions())["K"] == (
        "Hardware steps that a lowered network takes for one algorithmic step."
    )


def test_words_are_found_alone_in_the_plural_and_at_the_start_of_a_sentence():
    page = "<p>Gates of 3 neuron\nmodels. K = 6 &amp; two wraps</p>"
    assert [word for word, _ in words_on(page)] == ["gate", "K", "neuron model", "wrap"]


def test_parts_of_words_tags_and_names_in_other_letters_are_no_words():
    page = "<style>gate { }</style><p id='axon'>investigated by a program, 3 k, cuba, costly</p>"
    assert words_on(page) == []


def test_reading_a_cost_is_explained_without_marks():
    text = " ".join(how_to_read())
    assert text.startswith("Which number to quote?")
    assert "static energy" in text
    assert "*" not in text
