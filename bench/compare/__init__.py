"""Any runs held against each other: every number with its difference, its interval and a verdict."""
