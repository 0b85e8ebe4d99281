"""Which addresses this node listens on, and how a new plan gets there: everything that can fail is tried before anything
that runs is touched."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gatepost.control.handover import HandedAddress
from gatepost.control.messages import BindFailure, QueueStatus, SocketStatus
from gatepost.plan.difference import buffers_given_back
from gatepost.plan.plan import ListenerPlan, Plan, SocketPlan
from gatepost.sockets import listening_socket, options
from gatepost.sockets.address_sockets import AddressSockets, is_listened_to
from gatepost.supervisor.retirement import Place, PlacedSocket, Retirement
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.values.socket_address import SocketAddress


@dataclass(slots=True)
class PreparedPlan:
    """What a plan needs beyond what runs: bound, not listening."""

    plan: Plan
    worker_count: int
    handed_over: dict[Place, Place] = field(default_factory=dict)  # now and before: the sockets move with the address
    opened: dict[Place, AddressSockets] = field(default_factory=dict)
    spread: dict[Place, list[socket.socket]] = field(default_factory=dict)
    replacing: dict[Place, AddressSockets] = field(default_factory=dict)  # beside open ones that cannot be changed
    joined: list[AddressSockets] = field(default_factory=list)  # open ones that let others join for the change
    failures: list[BindFailure] = field(default_factory=list)

    @property
    def opened_addresses(self) -> list[str]:
        """What will be listened on."""
        return sorted({address for _, address in self.opened})


class SocketTable:
    """The listening sockets of the node, by listener and address."""

    def __init__(self, worker_count: int, inherited: Mapping[SocketAddress, socket.socket]) -> None:
        self._default_worker_count = worker_count
        self.inherited = dict(inherited)
        self._reserved: dict[SocketAddress, socket.socket] = {}
        self._open: dict[Place, AddressSockets] = {}
        self.failures: tuple[BindFailure, ...] = ()

    @property
    def addresses(self) -> Collection[str]:
        """What is bound now."""
        return {address: None for _, address in self._open}.keys()

    def for_worker(self, index: int) -> list[PlacedSocket]:
        """Everything that a worker accepts from."""
        return [
            PlacedSocket(address, listener_id, open_.for_worker(index))
            for (listener_id, address), open_ in self._open.items()
        ]

    def reserve(self, address: SocketAddress, plan: SocketPlan) -> SocketAddress:
        """Bind port 0 of an address: the kernel chooses the port. What it chose is bound from now on, and what `prepare` finds
        for it; `release_reserved` gives back what no plan has asked for. Raises OSError."""
        sock = listening_socket.bind(address, plan)
        chosen = SocketAddress(address.ip, sock.getsockname()[1], address.scope)
        self._reserved[chosen] = sock
        return chosen

    def release_reserved(self) -> None:
        """Nobody has asked for it."""
        for sock in self._reserved.values():
            sock.close()
        self._reserved.clear()

    # --- prepare ----------------------------------------------------------------------------------------------------

    def prepare(self, plan: Plan) -> PreparedPlan:
        """Bind what is new. The failures are in the result; `release` undoes everything."""
        prepared = PreparedPlan(plan, plan.worker_count(self._default_worker_count))
        wanted = _places(plan)
        leaving = {place: open_ for place, open_ in self._open.items() if place not in wanted}
        for listener in plan.listeners:
            for address in listener.addresses:
                try:
                    self._prepare_place(prepared, listener.socket, (listener.id, address), leaving)
                except OSError as error:
                    prepared.failures.append(_bind_failure(listener, address, error))
        return prepared

    def _prepare_place(
        self, prepared: PreparedPlan, plan: SocketPlan, place: Place, leaving: dict[Place, AddressSockets]
    ) -> None:
        open_ = self._open.get(place) or self._handed_over(prepared, place, leaving)
        if open_ is None:
            prepared.opened[place] = self._bind(prepared, plan, SocketAddress.parse(place[1]), leaving)
        elif open_.address in self.inherited:
            pass  # one socket, which all workers share: the service manager's, to whom none can be added or taken away
        elif buffers_given_back(open_.plan, plan):
            open_.let_join()
            prepared.joined.append(open_)
            prepared.replacing[place] = AddressSockets.bind(open_.address, plan, prepared.worker_count, is_joining=True)
        elif plan.reuse_port and (not open_.plan.reuse_port or len(open_.sockets) < prepared.worker_count):
            prepared.spread[place] = open_.bind_more(plan, prepared.worker_count)

    def _handed_over(
        self, prepared: PreparedPlan, place: Place, leaving: dict[Place, AddressSockets]
    ) -> AddressSockets | None:
        """The sockets of this address that another listener gives up, if there are any."""
        former = next((each for each in leaving if each[1] == place[1]), None)
        if former is None:
            return None
        prepared.handed_over[place] = former
        return leaving.pop(former)

    def _bind(
        self, prepared: PreparedPlan, plan: SocketPlan, address: SocketAddress, leaving: dict[Place, AddressSockets]
    ) -> AddressSockets:
        inherited = self.inherited.get(address)
        if inherited is not None and not self._has(address, prepared):
            return AddressSockets(address, plan, [listening_socket.take_inherited(inherited, plan)])
        reserved = self._reserved.pop(address, None)
        if reserved is not None:
            return AddressSockets(address, plan, [reserved])
        is_shared = plan.reuse_port and not self._covers(address, prepared) and is_listened_to(address, plan)
        try:
            opened = AddressSockets.bind(address, plan, prepared.worker_count)
            if is_shared:
                opened.note_sharing()
                events.warning(Event.LISTENER_SHARED, address=str(address), reason=opened.note)
            return opened
        except OSError as error:
            clashing = [open_ for open_ in leaving.values() if open_.address.clashes_with(address)]
            if error.errno != errno.EADDRINUSE or not clashing:
                raise
        for open_ in clashing:
            open_.let_join()
            prepared.joined.append(open_)
        return AddressSockets.bind(address, plan, prepared.worker_count, is_joining=True)

    def _has(self, address: SocketAddress, prepared: PreparedPlan) -> bool:
        return any(open_.address == address for open_ in (*self._open.values(), *prepared.opened.values()))

    def _covers(self, address: SocketAddress, prepared: PreparedPlan) -> bool:
        ours = (*self._open.values(), *prepared.opened.values())
        return any(open_.address.clashes_with(address) for open_ in ours)

    def release(self, prepared: PreparedPlan) -> None:
        """The change does not happen: give back everything that was bound for it."""
        for opened in (*prepared.opened.values(), *prepared.replacing.values()):
            opened.close()
        for place, added in prepared.spread.items():
            for sock in added:
                sock.close()
            self._open[prepared.handed_over.get(place, place)].stop_joining()
        for open_ in prepared.joined:
            open_.stop_joining()

    # --- activate ---------------------------------------------------------------------------------------------------

    def activate(self, prepared: PreparedPlan) -> Retirement:
        """Bring the plan into force as far as sockets go. What is returned has to be emptied and closed."""
        retirement = Retirement()
        failures = list(prepared.failures)
        for place, former in prepared.handed_over.items():
            self._open[place] = self._open.pop(former)
        for listener in prepared.plan.listeners:
            for address in listener.addresses:
                try:
                    self._activate_place(prepared, listener.socket, (listener.id, address), retirement)
                except OSError as error:
                    failures.append(_bind_failure(listener, address, error))
        self._retire_unwanted(prepared.plan, retirement)
        self.failures = tuple(failures)
        return retirement

    def _activate_place(self, prepared: PreparedPlan, plan: SocketPlan, place: Place, retirement: Retirement) -> None:
        opened = prepared.opened.pop(place, None)
        if opened is not None:
            self._open_new(place, opened, retirement, has_joined=bool(prepared.joined))
            return
        open_ = self._open.get(place)
        if open_ is None:
            return  # it failed before, and still does
        before = prepared.handed_over.get(place, place)
        replacing = prepared.replacing.pop(place, None)
        if replacing is not None:
            retirement.add(before, replacing.take_over_from(open_))
            retirement.gathered.append(replacing)
            self._open[place] = replacing
            return
        could_be_joined = open_.plan.reuse_port and open_.address not in self.inherited
        open_.set_live(plan)
        if place in prepared.spread:
            open_.spread(prepared.spread.pop(place))
        elif could_be_joined and not plan.reuse_port:  # also where it is one socket: others could join it
            retirement.add(before, open_.gather())
            retirement.gathered.append(open_)
        elif plan.reuse_port and len(open_.sockets) > prepared.worker_count:
            retirement.add(before, open_.shrink(prepared.worker_count))
            retirement.gathered.append(open_)

    def _open_new(self, place: Place, opened: AddressSockets, retirement: Retirement, *, has_joined: bool) -> None:
        try:
            opened.listen(self._at_address(place[1]))
        except OSError:
            opened.close()
            raise
        self._open[place] = opened
        if has_joined:
            retirement.joining.append(opened)

    def _retire_unwanted(self, plan: Plan, retirement: Retirement) -> None:
        wanted = _places(plan)
        leaving = {place: self._open.pop(place) for place in tuple(self._open) if place not in wanted}
        for place, open_ in leaving.items():
            beside = self._at_address(place[1])
            if beside is not None:
                open_.leave_to(beside)
                retirement.gathered.append(beside)
            retirement.add(place, open_.sockets)

    def _at_address(self, address: str) -> AddressSockets | None:
        return next((open_ for (_, each), open_ in self._open.items() if each == address), None)

    # --- another server takes over ----------------------------------------------------------------------------------

    def handed_over(self) -> list[tuple[HandedAddress, list[socket.socket]]]:
        """All sockets with their places, for `take_over` in another process."""
        return [
            (
                HandedAddress(
                    listener_id=listener_id,
                    address=address,
                    socket=open_.plan,
                    order=tuple(kept.group.index(kept) for kept in open_.sockets),
                    is_shared=open_.is_shared,
                    can_be_joined=open_.can_be_joined,
                ),
                [kept.sock for kept in open_.sockets],
            )
            for (listener_id, address), open_ in self._open.items()
        ]

    def take_over(self, addresses: Sequence[tuple[HandedAddress, list[socket.socket]]]) -> None:
        """Sockets that another server has open, as if they had been opened here."""
        for facts, socks in addresses:
            open_ = AddressSockets(SocketAddress.parse(facts.address), facts.socket, socks)
            open_.is_shared, open_.can_be_joined = facts.is_shared, facts.can_be_joined
            beside = self._at_address(facts.address)
            open_.join_group([] if beside is None else beside.sockets[0].group)
            self._open[facts.listener_id, facts.address] = open_
        for facts, _ in addresses:
            self._open[facts.listener_id, facts.address].order_group(facts.order)

    def give_up(self, cookies: Collection[int]) -> Retirement:
        """The sockets of these cookies: the server that takes over has no use for them."""
        retirement = Retirement()
        for place, open_ in tuple(self._open.items()):
            leaving = [kept for kept in open_.sockets if listening_socket.cookie(kept.sock) in cookies]
            retirement.add(place, leaving)
            open_.sockets = [kept for kept in open_.sockets if kept not in leaving]
            if not open_.sockets:
                del self._open[place]
        return retirement

    def let_everybody_in(self) -> None:
        """A server that was to take over may have steered connections to sockets that are gone with it."""
        for open_ in self._open.values():
            open_.let_everybody_in()

    def leave(self) -> None:
        """Another server keeps them from now on."""
        self.close()
        for sock in self.inherited.values():
            sock.close()
        self.inherited.clear()

    def close(self) -> None:
        """The server ends."""
        for open_ in self._open.values():
            open_.close()
        self._open.clear()

    # --- status -----------------------------------------------------------------------------------------------------

    def status(self, accepting: Callable[[Collection[int]], int]) -> tuple[SocketStatus, ...]:
        """Every address as the kernel has it. `accepting` tells how many workers accept from the sockets of these numbers."""
        return tuple(self._status_of(place, open_, accepting) for place, open_ in self._open.items())

    def _status_of(
        self, place: Place, open_: AddressSockets, accepting: Callable[[Collection[int]], int]
    ) -> SocketStatus:
        queues = [listening_socket.accept_queue(kept.sock) for kept in open_.sockets]
        return SocketStatus(
            listener_id=place[0],
            address=place[1],
            workers_accepting=accepting([kept.number for kept in open_.sockets]),
            accept_queues=tuple(
                QueueStatus(length=queue.length, limit=queue.limit, drops=queue.drops) for queue in queues
            ),
            socket_options={
                **options.read_back(open_.sockets[0].sock, open_.plan),
                "socketBacklog": (open_.plan.backlog, queues[0].limit),  # cut to net.core.somaxconn
            },
            note=open_.note,
        )


def _places(plan: Plan) -> set[Place]:
    return {(listener.id, address) for listener in plan.listeners for address in listener.addresses}


def _bind_failure(listener: ListenerPlan, address: str, error: OSError) -> BindFailure:
    return BindFailure(
        listener_id=listener.id,
        address=address,
        errno_name=errno.errorcode.get(error.errno or 0, "EUNKNOWN"),
        text=error.strerror or str(error),
    )
