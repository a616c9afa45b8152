"""In front of the apps: limits of requests, middleware, the pages with their files, and the API documents."""
