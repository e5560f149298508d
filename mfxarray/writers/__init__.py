"""Writers of the vendors' formats: blocks of records in, files that peers open out."""
