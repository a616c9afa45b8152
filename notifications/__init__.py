"""The notifications of users: a gapless feed each, pushed over WebSocket and SSE, read over REST, sent by e-mail."""
