"""Which addresses this node listens on, and how a new plan gets there: everything that can fail is tried before anything
that runs is touched."""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection
from dataclasses import dataclass, field

from gatepost.control.messages import BindFailure, SocketStatus
from gatepost.plan.plan import ListenerPlan, Plan, SocketPlan
from gatepost.sockets import listening_socket, options
from gatepost.sockets.address_sockets import AddressSockets, KeptSocket, is_listened_to
from gatepost.sockets.options import needs_new_sockets
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.values.ids import Id
from gatepost.values.socket_address import SocketAddress


@dataclass(slots=True)
class PreparedPlan:
    """What a plan needs beyond what runs: bound, not listening."""

    plan: Plan
    opened: dict[str, AddressSockets] = field(default_factory=dict)
    spread: dict[str, list[socket.socket]] = field(default_factory=dict)
    replacing: dict[str, AddressSockets] = field(default_factory=dict)  # beside open ones that cannot be changed
    joined: set[str] = field(default_factory=set)  # addresses of ours that let others join for the change
    failures: list[BindFailure] = field(default_factory=list)


@dataclass(slots=True)
class Retirement:
    """Sockets that nobody connects to any more; to be accepted empty, released by all workers, then closed."""

    sockets: list[KeptSocket] = field(default_factory=list)
    gathered: list[AddressSockets] = field(default_factory=list)
    joining: list[AddressSockets] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Whether nothing waits in any of them."""
        return all(listening_socket.accept_queue(kept.sock).length == 0 for kept in self.sockets)

    def close(self) -> None:
        """All workers have released them."""
        for kept in reversed(self.sockets):  # the last of a group first: closing it moves no other
            kept.close()
        for kept_address in self.gathered:
            kept_address.gathered()
        for opened in self.joining:
            opened.stop_joining()


class SocketTable:
    """The listening sockets of the node, by address."""

    def __init__(self, worker_count: int, inherited: dict[SocketAddress, socket.socket]) -> None:
        self._worker_count = worker_count
        self._inherited = inherited
        self._open: dict[str, AddressSockets] = {}
        self._owners: dict[str, Id] = {}
        self.failures: tuple[BindFailure, ...] = ()

    @property
    def addresses(self) -> Collection[str]:
        """What is bound now."""
        return self._open.keys()

    def for_worker(self, index: int) -> list[tuple[str, Id, KeptSocket]]:
        """Address, listener and socket for everything that a worker accepts from."""
        return [(address, self._owners[address], open_.for_worker(index)) for address, open_ in self._open.items()]

    # --- prepare ----------------------------------------------------------------------------------------------------

    def prepare(self, plan: Plan) -> PreparedPlan:
        """Bind what is new. The failures are in the result; `release` undoes everything."""
        prepared = PreparedPlan(plan)
        wanted = {address for listener in plan.listeners for address in listener.addresses}
        for listener in plan.listeners:
            for address in listener.addresses:
                try:
                    self._prepare_address(prepared, listener.socket, address, wanted)
                except OSError as error:
                    prepared.failures.append(_bind_failure(listener, address, error))
        return prepared

    def _prepare_address(self, prepared: PreparedPlan, plan: SocketPlan, address: str, wanted: Collection[str]) -> None:
        open_ = self._open.get(address)
        if open_ is None:
            prepared.opened[address] = self._bind(prepared, plan, SocketAddress.parse(address), wanted)
        elif needs_new_sockets(open_.plan, plan) and open_.address not in self._inherited:
            open_.let_join()
            prepared.joined.add(address)
            prepared.replacing[address] = AddressSockets.bind(open_.address, plan, self._worker_count, is_joining=True)
        elif plan.reuse_port and not open_.plan.reuse_port:
            prepared.spread[address] = open_.bind_more(plan, self._worker_count)

    def _bind(
        self, prepared: PreparedPlan, plan: SocketPlan, address: SocketAddress, wanted: Collection[str]
    ) -> AddressSockets:
        inherited = self._inherited.get(address)
        if inherited is not None:
            return AddressSockets(address, plan, [listening_socket.take_inherited(inherited, plan)])
        is_shared = plan.reuse_port and not self._covers(address) and is_listened_to(address, plan)
        try:
            opened = AddressSockets.bind(address, plan, self._worker_count)
            if is_shared:
                opened.note_sharing()
                events.warning(Event.LISTENER_SHARED, address=str(address), reason=opened.note)
            return opened
        except OSError as error:
            leaving = [
                open_
                for text, open_ in self._open.items()
                if text not in wanted and open_.address.clashes_with(address)
            ]
            if error.errno != errno.EADDRINUSE or not leaving:
                raise
        for open_ in leaving:
            open_.let_join()
            prepared.joined.add(str(open_.address))
        return AddressSockets.bind(address, plan, self._worker_count, is_joining=True)

    def _covers(self, address: SocketAddress) -> bool:
        return any(open_.address.clashes_with(address) for open_ in self._open.values())

    def release(self, prepared: PreparedPlan) -> None:
        """The change does not happen: give back everything that was bound for it."""
        for opened in (*prepared.opened.values(), *prepared.replacing.values()):
            opened.close()
        for address, added in prepared.spread.items():
            for sock in added:
                sock.close()
            self._open[address].stop_joining()
        for address in prepared.joined:
            self._open[address].stop_joining()

    # --- activate ---------------------------------------------------------------------------------------------------

    def activate(self, prepared: PreparedPlan) -> Retirement:
        """Bring the plan into force as far as sockets go. What is returned has to be emptied and closed."""
        retirement = Retirement()
        failures = list(prepared.failures)
        for listener in prepared.plan.listeners:
            for address in listener.addresses:
                self._owners[address] = listener.id
                try:
                    self._activate_address(prepared, listener.socket, address, retirement)
                except OSError as error:
                    failures.append(_bind_failure(listener, address, error))
        self._retire_unwanted(prepared.plan, retirement)
        self.failures = tuple(failures)
        return retirement

    def _activate_address(self, prepared: PreparedPlan, plan: SocketPlan, address: str, retirement: Retirement) -> None:
        opened = prepared.opened.pop(address, None)
        if opened is not None:
            try:
                opened.listen()
            except OSError:
                opened.close()
                raise
            self._open[address] = opened
            if prepared.joined:
                retirement.joining.append(opened)
            return
        open_ = self._open.get(address)
        if open_ is None:
            return  # it failed before, and still does
        replacing = prepared.replacing.pop(address, None)
        if replacing is not None:
            retirement.sockets += replacing.take_over_from(open_)
            retirement.gathered.append(replacing)
            self._open[address] = replacing
            return
        open_.set_live(plan)
        if address in prepared.spread:
            open_.spread(prepared.spread.pop(address))
        elif not plan.reuse_port and len(open_.sockets) > 1:
            retirement.sockets += open_.gather()
            retirement.gathered.append(open_)

    def _retire_unwanted(self, plan: Plan, retirement: Retirement) -> None:
        wanted = {address for listener in plan.listeners for address in listener.addresses}
        for address in [address for address in self._open if address not in wanted]:
            open_ = self._open.pop(address)
            del self._owners[address]
            open_.stop_new_connections()
            retirement.sockets += open_.sockets

    def close(self) -> None:
        """The server ends."""
        for open_ in self._open.values():
            open_.close()
        self._open.clear()

    # --- status -----------------------------------------------------------------------------------------------------

    def status(self) -> tuple[SocketStatus, ...]:
        """Every address as the kernel has it."""
        return tuple(self._status_of(address, open_) for address, open_ in self._open.items())

    def _status_of(self, address: str, open_: AddressSockets) -> SocketStatus:
        queues = [listening_socket.accept_queue(kept.sock) for kept in open_.sockets]
        return SocketStatus(
            listener_id=self._owners[address],
            address=address,
            accept_queue=sum(queue.length for queue in queues),
            accept_queue_limit=sum(queue.limit for queue in queues),
            socket_options=dict(options.read_back(open_.sockets[0].sock, open_.plan)),
            note=open_.note,
        )


def _bind_failure(listener: ListenerPlan, address: str, error: OSError) -> BindFailure:
    return BindFailure(
        listener_id=listener.id,
        address=address,
        errno_name=errno.errorcode.get(error.errno or 0, "EUNKNOWN"),
        text=error.strerror or str(error),
    )
