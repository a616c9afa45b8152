"""The wire format of events: the envelope, and every public event.

Imports the standard library and msgspec only, so that any service, in any process, can read it. A field may be added with
a default. A field is never removed, renamed or given another meaning: `tests/fixtures` holds an example of every event
that was ever published, and each must decode for ever.
"""

from auction_project.kernel.contracts import events
from auction_project.kernel.contracts.envelope import Envelope, Undecodable, decode, decode_envelope, encode

__all__ = ["Envelope", "Undecodable", "decode", "decode_envelope", "encode", "events"]
