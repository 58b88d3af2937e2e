"""Use cases, one verb a file: submit, process, claim, start, drive, conclude, publish, chain, query, rerun, sweep."""
