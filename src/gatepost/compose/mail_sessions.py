"""A worker joined with the store: from then on its connections are those of the mail server, management API included.

Called by the worker process, and by `embedding` for the mail server in somebody else's process.
"""

from __future__ import annotations

from gatepost.compose.management_parts import management_application
from gatepost.compose.reconcile import Reconciler
from gatepost.mail.stored_directory import StoredDirectory
from gatepost.management.state_watch import StateWatch
from gatepost.session.authentication import PasswordAuthenticator
from gatepost.session.http_session import HttpServer
from gatepost.session.mailbox_watch import MailboxWatch
from gatepost.session.password_hash import HashToStore, hash_to_store
from gatepost.store.sql_store import SqlStore
from gatepost.worker.sessions import MailConversations, ProtocolSessions, Services
from gatepost.worker.worker import Worker


async def give_mail_sessions(
    worker: Worker,
    store: SqlStore,
    watch: MailboxWatch,
    state_watch: StateWatch,
    hash_password: HashToStore = hash_to_store,
) -> tuple[ProtocolSessions, PasswordAuthenticator]:
    """Both watches are told by the store. In a process that goes on, the sessions have to settle and what checks passwords has
    to be closed."""
    directory = StoredDirectory(store.configuration)
    authenticator = PasswordAuthenticator(directory, worker.password_pace, waits=worker.login_waits)
    application = await management_application(store, worker, authenticator, state_watch, hash_password)
    services = Services(
        authenticator=authenticator, directory=directory, mail=store.mail, scripts=store.scripts, watch=watch
    )
    worker.sessions = sessions = ProtocolSessions(MailConversations(services).by_protocol(), HttpServer(application))
    worker.reconcile = Reconciler(store.configuration, worker.applier).start
    return sessions, authenticator
