from __future__ import annotations

from local.aws.access.decisions import LARGEST, forget, remembered


def test_decides_once_until_something_changes() -> None:
    answers = iter(range(10))

    def decide() -> int:
        return next(answers)

    assert [remembered("a", decide), remembered("a", decide), remembered("b", decide)] == [0, 0, 1]
    forget()
    assert remembered("a", decide) == 2
    forget()


def test_a_decision_that_a_change_overtakes_is_not_remembered() -> None:
    def decide_while_a_policy_changes() -> str:
        forget()
        return "by the old policy"

    assert remembered("a", decide_while_a_policy_changes) == "by the old policy"
    assert remembered("a", lambda: "by the new one") == "by the new one"
    forget()


def test_does_not_grow_without_end() -> None:
    for number in range(LARGEST + 1):
        remembered(number, lambda: True)

    assert remembered(0, lambda: "anew") == "anew"
    forget()
