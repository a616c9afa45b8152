"""Live push: streams of one user's notifications and of auctions, over WebSocket and server-sent events."""
