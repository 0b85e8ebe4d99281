"""What many ask at the same time is found out once for those who came before it was asked, and once for all others."""

from __future__ import annotations

import asyncio

import pytest

from gatepost.management.shared_question import SharedQuestion


class Oracle:
    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def ask(self) -> int:
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        if number == 3:
            raise RuntimeError("no answer")
        return number


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_hundred_at_once_cost_two_questions_and_nobody_hears_what_was_before_they_asked() -> None:
    oracle = Oracle()
    question = SharedQuestion(oracle.ask)
    early = [asyncio.create_task(question.answer()) for _ in range(100)]
    await turns()
    late = [asyncio.create_task(question.answer()) for _ in range(100)]
    await turns()
    assert oracle.asked == 1
    oracle.may_answer.set()
    assert set(await asyncio.gather(*early)) == {1}
    assert set(await asyncio.gather(*late)) == {2}
    assert oracle.asked == 2


async def test_one_who_leaves_takes_the_answer_from_nobody_and_a_failure_is_told_to_all_of_its_time_alone() -> None:
    oracle = Oracle()
    oracle.asked = 1
    question = SharedQuestion(oracle.ask)
    first, second = (asyncio.create_task(question.answer()) for _ in range(2))
    await turns()
    first.cancel()
    failing = [asyncio.create_task(question.answer()) for _ in range(2)]
    await turns()
    oracle.may_answer.set()
    assert await second == 2
    for each in failing:
        with pytest.raises(RuntimeError):
            await each
    assert await question.answer() == 4
