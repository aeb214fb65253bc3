"""Tables of plain text."""

from training.tables import format_table


def test_table_is_aligned():
    table = format_table([("A", "LONG"), ("bbb", "c")])
    assert table == "A    LONG\nbbb  c"
