"""Embedded servers: PostgreSQL, Valkey and a MongoDB-compatible server as children of one program.

Owns the servers' data directory, ports and passwords. It is a program, never a library:
`python -m auction_project.tools.embedded run -- COMMAND` sets the variables that a site engineer would set, and runs
COMMAND. No module imports it, and it imports nothing of the project.

The tree of processes, of which none survives the run:

    front         what the user started: passes signals and the exit code on
      supervisor  starts, watches, restarts and ends everything below; a subreaper, in a process group of its own
        postgres, valkey-server, mongodb_server, COMMAND (in the front's process group, so that Ctrl-C and a terminal work)

If the front is killed, the supervisor sees its pipe close and ends all. If the supervisor is killed, the kernel signals
its children (PR_SET_PDEATHSIG), and the front, which is a subreaper too, kills the rest. If both are killed at once,
PR_SET_PDEATHSIG ends the children, and the next start ends a leftover that was paused.
"""
