"""What other people say deploy/ must look like: ``make schemas`` brings it, and tests hold the files to it."""
