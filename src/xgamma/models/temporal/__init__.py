"""How the flux of a source depends on time: the base, formulas, and tables from files."""
