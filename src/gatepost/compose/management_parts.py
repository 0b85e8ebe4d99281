"""The management API of a worker, joined with the store, the running server and the outside world (clock, random ids)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from starlette.types import ASGIApp

import gatepost
from gatepost.management.app import make_app
from gatepost.management.parts import ManagementParts
from gatepost.management.state_watch import StateWatch
from gatepost.management.web_session_key import load_web_session_key
from gatepost.plan.plan import Plan
from gatepost.session.password_hash import HashToStore
from gatepost.session.reactions import Authenticator
from gatepost.store.new_id import new_id
from gatepost.store.sql_store import SqlStore
from gatepost.worker.worker import Worker

_WEB_UI = Path(gatepost.__file__).parent / "webui"


async def management_application(
    store: SqlStore,
    worker: Worker,
    authenticator: Authenticator,
    state_watch: StateWatch,
    hash_to_store: HashToStore,
) -> ASGIApp:
    """The ASGI application of this worker's http listeners."""
    return make_app(
        ManagementParts(
            store=store.configuration,
            applier=worker.applier,
            connections=worker.connections,
            request_turns=worker.request_turns,
            api_key_pace=worker.api_key_pace,
            login_waits=worker.login_waits,
            authenticator=authenticator,
            hash_to_store=hash_to_store,
            delete_account_mail=store.mail.delete_account,
            session_key=await load_web_session_key(store.configuration),
            running_plan=lambda: _running_plan(worker),
            is_blocked=worker.blocks.refuses,
            now=lambda: datetime.now(UTC),
            make_id=new_id,
            web_ui=_WEB_UI,
            state_watch=state_watch,
        )
    )


def _running_plan(worker: Worker) -> Plan:
    if worker.plan is None:
        raise LookupError("no plan runs yet")
    return worker.plan
