"""National codes: COSE_Sign1 in Base45."""
