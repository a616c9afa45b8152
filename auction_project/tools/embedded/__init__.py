"""Embedded servers: PostgreSQL, Valkey and a MongoDB-compatible server as children of one program.

Owns the servers' data directory, ports and passwords. It is a program, never a library: `python -m auction_project.tools.embedded run -- COMMAND`
sets the variables that a site engineer would set and runs COMMAND; nobody imports it, and it imports nothing of the project.

How processes hang together, and why nothing survives:

    front         what the user started: passes signals and the exit code on
      supervisor  starts, watches, restarts and ends everything below; a subreaper, in a process group of its own
        postgres, valkey-server, mongodb_server, COMMAND (in the front's process group, so Ctrl-C and a terminal work)

front killed: the supervisor sees its pipe close and ends all. Supervisor killed: the kernel signals its children (PR_SET_PDEATHSIG), the
front, a subreaper too, kills what is left. Both killed at once: PR_SET_PDEATHSIG again, and the next start ends a leftover that was paused.
"""
