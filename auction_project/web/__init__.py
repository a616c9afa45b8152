"""What stands in front of the apps: bounds and budgets of requests, middleware, pages with their files, and the API documents."""
