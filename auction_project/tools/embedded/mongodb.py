"""The MongoDB-compatible server (nx-27017: the MongoDB protocol over SQLite files), in a process of its own."""

import socket
import struct
import subprocess
import sys
from pathlib import Path

from auction_project.tools.embedded import process
from auction_project.tools.embedded.server import Server

ANSWER_TIMEOUT_S = 2.0
DATABASE = "gavel"  # as MONGODB_DATABASE names it

# {"ping": 1, "$db": "admin"} in BSON, in an OP_MSG. Written by hand, because this needs one message and no client.
_PING = b"\x1e\x00\x00\x00\x10ping\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00"
_OP_MSG = 2013


class MongoDB(Server):
    """nx-27017 by `mongodb_server.py`, which makes every write durable, with any write concern. It has no passwords."""

    name = "mongodb"
    control_name = "mongodb"
    label = "MongoDB-compatible server"
    program = "python"
    variables = ("MONGODB_URL",)

    def spawn(self, port: int) -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("mongodb_server.py")
        with self.directory.open_log(self.name) as log:
            return process.spawn(
                [sys.executable, "-P", str(program), "--port", str(port)],
                cwd=self.home,
                output=log,
                stdin=subprocess.DEVNULL,
                death_signal=self.death_signal,
            )

    def answers(self, port: int) -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_S) as connection:
            body = struct.pack("<I", 0) + b"\x00" + _PING
            connection.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body)
            answer = connection.recv(4096)
        return len(answer) > 16 and struct.unpack("<i", answer[12:16])[0] == _OP_MSG and b"ok\x00" in answer

    def get_environment(self, port: int) -> dict[str, str]:
        return {"MONGODB_URL": f"mongodb://127.0.0.1:{port}/{DATABASE}"}
