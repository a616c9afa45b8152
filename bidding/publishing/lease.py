"""The lease that lets one relay of the bid log work at a time, and what the relay notes beside it for the next one."""

import uuid

from auction_project.kernel import errors, logs
from bidding import runtime
from bidding.publishing.pace import Pace
from bidding.writer.clocks import Clocks

_NAME = "relay"

logger = logs.get(__name__)


class Lease:
    """One relay's part in it. It ends by itself, so that another relay takes over from one that has died."""

    def __init__(self, *, clocks: Clocks, pace: Pace) -> None:
        self._clocks = clocks
        self._pace = pace
        self._owner = uuid.uuid4().hex
        self._until = 0

    @property
    def is_held(self) -> bool:
        """Whether this relay had the lease when it asked last."""
        return self._until > 0

    def hold(self) -> bool:
        """Get the lease, or renew it when half of it is over; whether this relay has it. If another relay has had the lease
        meanwhile, the answer is False once, because what this one remembers is old; then it may get the lease again. Raises errors.Unavailable."""
        now = self._clocks.now()
        if now < self._until - self._pace.lease_ms // 2:
            return True
        leases, until = runtime.current().store.leases, now + self._pace.lease_ms
        if self._until:
            held = runtime.call(leases.renew(_NAME, self._owner, until=until))
        else:
            held = runtime.call(leases.hold(_NAME, self._owner, now=now, until=until))
            if held:
                logger.info("log_relay_leads")
        self._until = until if held else 0
        return held

    def release(self) -> None:
        """Let another relay have it at once. Raises errors.Unavailable."""
        now = self._clocks.now()
        runtime.call(runtime.current().store.leases.hold(_NAME, self._owner, now=now, until=now - 1))

    async def handled_until(self) -> int:
        """What `note_handled` noted last, by whichever relay; 0 if none has. Raises errors.Unavailable."""
        return await runtime.current().store.leases.noted(_NAME)

    async def note_handled(self, at: int) -> None:
        """Note it for the next relay, see `handled`. Raises errors.Unavailable, also when another relay has the lease."""
        if not await runtime.current().store.leases.note(_NAME, self._owner, at):
            raise errors.Unavailable("another relay leads")
