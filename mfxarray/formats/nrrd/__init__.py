"""NRRD files of OpenMIMS."""
