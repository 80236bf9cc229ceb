"""What is done and may be kept: journal, ledger, identity, the owner of an output folder."""
