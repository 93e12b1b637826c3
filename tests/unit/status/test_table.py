"""The table of statuses: bounded, the oldest reading goes first, and columns say what entries say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.status.table import MANY, MISSING, NO_RECORD, UNKNOWN, Entry, StatusTable, needs_records

RED = StatusRecord("420000", Scope.NATIONAL, Level.RED, 5, None, 1)
SUBJECTS = [bytes([n]) * 16 for n in range(6)]


def test_one_record_of_a_home_is_columns_and_all_else_is_asked_for() -> None:
    table = StatusTable(4)
    kinds = [(), (RED,), (RED._replace(expires_at=9),), (RED, RED._replace(publisher="000000"))]
    for subject, records in zip(SUBJECTS, kinds, strict=False):
        table.put(subject, Entry(records, 1.5, 1.5, 7))
    rows = table.entries(table.rows_of(SUBJECTS[:5]))
    assert rows["publisher"].tolist() == [NO_RECORD, 420000, 420000, MANY, UNKNOWN]
    assert rows["level"].tolist()[1:3] == [Level.RED] * 2
    assert (rows["effective_at"][1], rows["expires_at"].tolist()[1:3]) == (5, [2**63 - 1, 9])
    assert rows["read_at_s"].tolist()[:4] == [1.5] * 4
    assert rows["read_at_s"][4] < -1e9  # nobody's: never confirmed
    assert table.records(int(table.rows_of(SUBJECTS[3:4])[0])) == kinds[3]
    waits = RED._replace(effective_at=9, revision=2, published_at=7)
    table.put(SUBJECTS[0], Entry((waits, RED), 1.5, 1.5, 7))
    (row,) = table.entries(table.rows_of(SUBJECTS[:1]))
    assert (row["publisher"], row["effective_at"], row["published_at"], row["has_older"]) == (420000, 9, 7, True)
    assert [needs_records(np.array([row]), now).tolist() for now in (8, 9)] == [[True], [False]]
    for lone in (RED._replace(publisher="000000"), RED._replace(scope=Scope.LOCAL)):
        table.put(SUBJECTS[0], Entry((lone,), 1.5, 1.5, 7))
        assert table.entries(table.rows_of(SUBJECTS[:1]))["publisher"].tolist() == [MANY]


@given(steps=st.lists(st.tuples(st.sampled_from(["put", "forget", "clear"]), st.sampled_from(SUBJECTS)), max_size=40))
def test_it_holds_what_was_read_last_and_no_more_than_it_may(steps: list[tuple[str, bytes]]) -> None:
    table, model, size = StatusTable(3), dict[bytes, Entry](), 3
    for number, (step, subject) in enumerate(steps):
        if step == "put":
            model.pop(subject, None)
            model[subject] = Entry(
                (RED,) * (number % 3), float(number), number - 0.5, number, is_followed=number % 2 == 0
            )
            table.put(subject, model[subject])
        elif step == "forget":
            model.pop(subject, None)
            table.forget(subject)
        else:
            model.clear()
            table.clear()
        assert len(table) <= size
        known = {one: table.entry(one) for one in SUBJECTS}
        assert {one: entry for one, entry in known.items() if entry} == {
            one: model[one] for one, entry in known.items() if entry
        }
        if model and step == "put":
            assert known[subject] == model[subject]
        rows = table.rows_of(SUBJECTS).tolist()
        assert [row == MISSING for row in rows] == [entry is None for entry in known.values()]


def test_the_oldest_reading_makes_room() -> None:
    table = StatusTable(2)
    for time, subject in enumerate([SUBJECTS[0], SUBJECTS[1], SUBJECTS[0], SUBJECTS[2]]):
        table.put(subject, Entry((), float(time), float(time), 0))
    assert [table.entry(subject) is not None for subject in SUBJECTS[:3]] == [True, False, True]
