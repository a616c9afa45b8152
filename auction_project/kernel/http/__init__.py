"""What the REST views and the bare endpoints of the apps share: problems, authentication, bodies, budgets, addresses."""
