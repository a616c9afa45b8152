"""How often the relay does what, and how much of it at once."""

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults are those of production. Tests pass others, to see one part at work without the rest."""

    # The shortest rest between two steps. It is the only one during a refill, and while no writer can be heard.
    poll_seconds: float = 0.025
    saving_step_seconds: float = 0.1  # between two steps while documents wait for their save
    idle_step_seconds: float = 0.5  # while nothing happens: what is due is late by that at most

    # The lease.
    lease_ms: int = 3_000
    follower_seconds: float = 0.5  # before a relay that does not have the lease asks for it again

    # News: from the writers, and from the sweep.
    heard_poll_seconds: float = 1.0  # of writers that name their batches: a name may be lost
    unheard_poll_seconds: float = 0.05  # of writers that cannot be heard
    sweep_seconds: float = 2.0  # from the beginning of one round to that of the next, if it takes no longer
    # After a slice, times what it took, so that the store is left to the bids. The first round has none.
    sweep_rest: float = 19.0
    slice_seconds: float = 2.0  # that one slice may take
    slice_auctions: int = 256
    page_auctions: int = 512  # the embedded server takes 80 us a document

    # Publishing.
    publish_seconds: float = 0.5  # of one step; then the lease, the news and the documents have their turn
    auctions_per_read: int = 32
    entries_kept: int = 10_000  # of the batches that were seen
    entries_per_read: int = 1_600  # of these auctions together
    epoch_check_seconds: float = 2.0
    set_aside_seconds: float = 60.0

    # The auctions' documents.
    save_seconds: float = 1.0  # between two saves of one document
    saves_at_once: int = 64

    # The catalogue.
    put_seconds: float = 0.5  # between two puts of one lot
    puts_at_once: int = 256
    catalogue_check_seconds: float = 2.0

    # What the readers have handled.
    handled_look_seconds: float = 1.0  # while something is not handled
    handled_margin_ms: int = 5_000  # more than the time from an entry to its publication, mostly

    # The refill.
    refill_seconds: float = 0.2  # of one step; then what is new has its turn
    refill_ahead_messages: int = 500  # that a reader has yet to handle; then the next piece waits
    refill_wait_seconds: float = 1.0  # that a piece waits at most
    refill_page_auctions: int = 2_000
    refill_step_entries: int = 250


PACE = Pace()
