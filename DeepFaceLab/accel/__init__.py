"""The engine of the overlay: it needs no DeepFaceLab around it."""
