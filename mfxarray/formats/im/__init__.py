"""NanoSIMS `.im` files: their header, record by record, and their planes."""
