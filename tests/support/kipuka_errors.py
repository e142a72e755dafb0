"""What every refusal has to say, for all tests of error paths."""


def check_error(error, **parts):
    """Assert that an error says what, where, limit, value and remedy, and those parts of them."""
    text = str(error)
    for name in ("what", "where", "limit", "value", "remedy"):
        assert str(getattr(error, name)) in text
        assert str(getattr(error, name)).strip()
    for name, part in parts.items():
        assert part in str(getattr(error, name)), f"{name}: {getattr(error, name)!r}"
