"""Domains, the simplest objects, for tests of what holds for objects of every type."""

from __future__ import annotations

from typing import Any

Api = Any


async def create(api: Api, *names: str) -> list[str]:
    wire = {f"d{number}": {"name": name} for number, name in enumerate(names)}
    created = (await api.call("x:Domain/set", create=wire))["created"]
    return [each["id"] for each in created.values()]


async def state_of(api: Api, type_name: str = "x:Domain") -> str:
    state: str = (await api.call(f"{type_name}/get", ids=[]))["state"]
    return state
