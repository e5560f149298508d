"""Ground-truth generators for both instruments and writers of their formats."""
