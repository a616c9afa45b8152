"""What must hold of the bid log: the checkers of its invariants, and the judge of one auction."""
