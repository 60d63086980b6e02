"""UNIREX's experiments: main tables, ablations, few gold rationales, transfer, steps of IG."""
