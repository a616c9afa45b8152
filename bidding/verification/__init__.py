"""What must hold of the bid log: the invariants, and the judge of one auction."""
